"""The words of the project as frozen values: no I/O, no import of anything else in the house."""

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
