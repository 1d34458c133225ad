"""The concepts of the project as frozen values.

A :class:`Trial` (policy, workload, machine, seed) identifies a measurement, a :class:`Measurement` is its result, and
:func:`reward` compares two measurements. This package does no input or output and imports no other package of ours.

Example:
    >>> from schedcp_gym.lab import Lab, catalogue
    >>> workload = catalogue.load_workload("schbench")
    >>> trials = [Trial(catalogue.load_policy(name), workload, seed=1) for name in ("eevdf", "vtime")]
    >>> eevdf, vtime = Lab().measure(trials)
    >>> reward(workload, vtime, eevdf)  # above 0: better than the kernel's own scheduler
"""

from schedcp_gym.spec.cache_model import CacheModel
from schedcp_gym.spec.caches import Caches
from schedcp_gym.spec.errors import BadInput, MissingTool, SchedcpError
from schedcp_gym.spec.machine import Clock, MachineSpec
from schedcp_gym.spec.measurement import Measurement, Outcome
from schedcp_gym.spec.objective import REWARD_LIMIT, improvement, reward, share_of_possible
from schedcp_gym.spec.policy import EEVDF, Policy, Tunable, TunableType, check_tunables, source_sha256
from schedcp_gym.spec.topology import Topology
from schedcp_gym.spec.trial import Trial
from schedcp_gym.spec.workload import Direction, Metric, Objective, Scale, Workload

__all__ = [
    "EEVDF",
    "REWARD_LIMIT",
    "BadInput",
    "CacheModel",
    "Caches",
    "Clock",
    "Direction",
    "MachineSpec",
    "Measurement",
    "Metric",
    "MissingTool",
    "Objective",
    "Outcome",
    "Policy",
    "Scale",
    "SchedcpError",
    "Topology",
    "Trial",
    "Tunable",
    "TunableType",
    "Workload",
    "check_tunables",
    "improvement",
    "reward",
    "share_of_possible",
    "source_sha256",
]
