"""The workload analysis engine: what an agent may see of a workload, cheap tiers first, each with its cost.

:class:`~schedcp_gym.control.analysis.engine.Analyzer` answers; it is not imported here, for the command line needs the
names of the tiers at every start.
"""

from schedcp_gym.control.analysis.report import Analysis, Tier

__all__ = ["Analysis", "Tier"]
