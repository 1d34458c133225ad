"""Suites of trials, what they come to, and how two clocks rank policies."""

from schedcp_gym.bench.result import Result, Total, totals
from schedcp_gym.bench.suite import Bench, Suite

__all__ = ["Bench", "Result", "Suite", "Total", "totals"]
