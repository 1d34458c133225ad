"""The workload analysis engine: what an agent may see of a workload, cheap tiers first, each with its cost."""

from schedcp_gym.control.analysis.engine import Analyzer
from schedcp_gym.control.analysis.report import Analysis, Tier

__all__ = ["Analysis", "Analyzer", "Tier"]
