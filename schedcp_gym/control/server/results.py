"""Types of the tools' data that programs read: what agents, the run and tests find in ``ToolResult.data``.

All values are plain, so that they can be written as JSON and read again without a change.
"""

from typing import Any, NotRequired, TypedDict

from schedcp_gym.spec.policy import Value


class OutlierData(TypedDict):
    """A task with far more CPU time than the other tasks of its group."""

    name: str
    cpu_ms: float
    times_median: float
    cpu_share: float
    is_named: bool
    """True if its name differs from those of the others."""


class GroupData(TypedDict):
    """Like tasks of a traced run. Shares are 0 to 1."""

    label: str
    name: str
    """The common beginning of all names, at most 15 characters."""
    kind: str
    own_names: bool
    tasks: int
    cpu_share: float
    """Of all CPU time."""
    median_cpu_ms: float
    run_share: float
    """Of the tasks' lives; the same for the next two."""
    wait_share: float
    sleep_share: float
    burst_p50_ms: float
    burst_p99_ms: float
    wait_p50_ms: float
    wait_p99_ms: float
    outliers: list[OutlierData]


class TunableData(TypedDict):
    """A tunable of a policy; numbers have ``low``, ``high`` and ``log``."""

    name: str
    type: str
    default: Value
    unit: str
    description: str
    low: NotRequired[int]
    high: NotRequired[int]
    log: NotRequired[bool]


class StandingData(TypedDict):
    """Results of a policy on one workload. ``reward`` is the log of ``improvement``; None where all results failed."""

    workload: str
    scale: str
    machine: str
    tunables: dict[str, Value]
    reward: dict[str, float | None] | None
    improvement: float | None
    seeds: int
    results: int
    failures: int
    proven: bool


class HitData(TypedDict):
    """One record that a search has found."""

    kind: str
    name: str
    id: str
    score: float
    title: str
    best: StandingData | None


class VerifiedData(TypedDict):
    """A report of the verifier on a policy. ``token`` is empty unless all stages passed."""

    passed: bool
    caught_at: str | None
    infra_fault: bool
    summary: str
    token: str
    tunables: dict[str, Value]
    stages: list[dict[str, Any]]


class MeasuredData(TypedDict):
    """A measurement against EEVDF. ``improvement`` and ``metrics_vs_eevdf`` are ratios; above 1 is better."""

    workload: str
    policy: str
    tunables: dict[str, Value]
    outcome: str
    message: str
    reward: float
    improvement: float
    metrics: dict[str, float]
    metrics_vs_eevdf: dict[str, float]
    eevdf: dict[str, float]
    events: dict[str, int]
    utilisation: float | None
    workload_seed: int


class DeploymentData(TypedDict):
    """A deployment. ``state`` is ``running``, ``kept``, ``reverted``, ``failed`` or ``stopped``."""

    deployment: str
    workload: str
    policy: str
    tunables: dict[str, Value]
    state: str
    deployed: bool
    why: str
