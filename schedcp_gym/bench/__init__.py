"""Measure suites of trials, sum up their results, and compare agents and clocks."""

from schedcp_gym.bench.result import BenchResult, PolicyTotal, totals
from schedcp_gym.bench.suite import Bench, Suite

__all__ = ["Bench", "BenchResult", "PolicyTotal", "Suite", "totals"]
