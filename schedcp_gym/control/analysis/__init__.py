"""The analysis engine: find out what a workload does, cheap tiers first, each with its cost.

:class:`~schedcp_gym.control.analysis.engine.Analyzer` is the entry. It is not imported here, because the command line
needs the names of the tiers at every start, and the engine is slow to import.
"""

from schedcp_gym.control.analysis.report import Analysis, Tier

__all__ = ["Analysis", "Tier"]
