"""Suites that prove the verifier: policies with a known answer, and how many of them it gets right."""

from schedcp_gym.control.verifier.suites.cases import Case, Group, find_cases
from schedcp_gym.control.verifier.suites.record import Verdict, Verdicts
from schedcp_gym.control.verifier.suites.runner import run_suite

__all__ = ["Case", "Group", "Verdict", "Verdicts", "find_cases", "run_suite"]
