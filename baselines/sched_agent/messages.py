"""The messages between the roles.

A role gets one *task* as a JSON block in its prompt, and answers with one message. Both are values; the text below a
field is its description for the model.
"""

from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from schedcp_gym.spec.policy import Value

#: Unknown fields are errors; the texts below the fields become the schema's descriptions.
_CONFIG = ConfigDict(extra="forbid", use_attribute_docstrings=True)

WorkloadClass = Literal["batch", "latency", "throughput", "mixed"]
Way = Literal["configure", "patch", "compose"]


# ---- the task and the budget ----


@dataclass(frozen=True, config=_CONFIG)
class Goal:
    """A metric of the objective."""

    metric: str
    direction: Literal["minimize", "maximize"]
    unit: str
    weight: float
    eevdf: float
    """The value under the kernel's own scheduler, EEVDF."""
    floor: float | None = None
    """The least improvement over EEVDF (1.0 is as good); below it nothing counts as a gain."""
    best_possible: float | None = None
    """The best value that any schedule can reach, where that is known."""


@dataclass(frozen=True, config=_CONFIG)
class Target:
    """The workload and its goals."""

    workload: str
    cpus: int
    goals: tuple[Goal, ...]
    processes_cpu_s: dict[str, float] = Field(default_factory=dict)
    """CPU seconds by process name under EEVDF, the largest first. Names change with the workload's seed."""


@dataclass(frozen=True, config=_CONFIG)
class Left:
    """The rest of the budget."""

    rounds: int
    """Rounds of planning, execution and learning, this one included."""
    evaluations: int | None
    """Calls of measure_policy in all; null: no limit."""
    candidates: int
    """Candidates this round may have."""
    full_verifications: int
    """Calls of submit_policy with stages=full in all."""
    repairs: int
    """Times a refused source may be repaired, for each candidate."""


# ---- observation ----


@dataclass(frozen=True, config=_CONFIG)
class ObservationTask:
    """The task of Observation."""

    target: Target


@dataclass(frozen=True, config=_CONFIG)
class ProcessProfile:
    """A process, or a group of like ones, that matters to the goals."""

    name: str
    """As the kernel shows it (at most 15 characters), as the value for a tunable. Never a guess."""
    matters: str
    """What it does, and why it decides the result."""
    tasks: int | None = None
    cpu_share: float | None = None
    """Of all CPU time, 0 to 1."""
    burst_p50_ms: float | None = None
    """Median CPU time between a wake-up and the next sleep."""
    wait_p99_ms: float | None = None
    """Wait for a CPU, 99th percentile."""


@dataclass(frozen=True, config=_CONFIG)
class WorkloadProfile:
    """The result of Observation: what a plan needs, and no more."""

    workload: str
    workload_class: WorkloadClass
    summary: str
    """What the workload does and what limits it, in plain words with the figures that show it."""
    goals: tuple[str, ...]
    """What a better schedule would do, the most valuable first."""
    processes: tuple[ProcessProfile, ...] = ()
    """The one that decides the result first."""
    waits: tuple[str, ...] = ()
    """Who waits for whom, and for how long."""
    figures: dict[str, float] = Field(default_factory=dict)
    """Further figures that a plan may need, with units in their names."""
    unknown: tuple[str, ...] = ()
    """What could not be found out."""


# ---- planning ----


@dataclass(frozen=True, config=_CONFIG)
class Candidate:
    """A policy to be tried."""

    name: str
    """Short, and not used before."""
    way: Way
    """configure: a policy of the repository with tunables; patch: its source changed; compose: written anew."""
    why: str
    """Which property of the workload it uses."""
    policy: str = ""
    """configure, patch: the policy's name."""
    tunables: dict[str, Value] = Field(default_factory=dict)
    """Values by name; what is left out keeps its default."""
    change: str = ""
    """patch, compose: what to write, exactly enough for someone who has not seen the workload."""
    primitives: tuple[str, ...] = ()
    """compose: primitives of the repository to use."""
    expected_improvement: float | None = None
    """Times better than EEVDF; 1.0 is as good."""


@dataclass(frozen=True, config=_CONFIG)
class Plan:
    """The result of Planning."""

    reasoning: str
    """In two or three sentences."""
    candidates: tuple[Candidate, ...] = ()
    """The most promising first."""
    no_gain_expected: bool = False
    """True: nothing that could be tried is expected to beat what is deployed. The search ends."""


# ---- execution ----


@dataclass(frozen=True, config=_CONFIG)
class Tried:
    """A policy that was measured: facts, recorded by the program and not by a model."""

    round: int
    candidate: str
    """The plan's name for it; empty if unknown."""
    policy: str
    """Name or id, as the tools take it."""
    tunables: dict[str, Value]
    outcome: str
    improvement: float
    """In the objective, times better than EEVDF; 1.0 is as good."""
    metrics: dict[str, float] = Field(default_factory=dict)
    """Improvement over EEVDF by metric, times; above 1.0 is better, in both directions of a metric."""
    verified: Literal["no", "passed", "failed"] = "no"
    """By all stages of the verifier."""
    deployed: bool = False
    message: str = ""
    """Why the outcome is not ok, or what the verifier found."""


@dataclass(frozen=True, config=_CONFIG)
class Attempt:
    """The result of a candidate."""

    candidate: str
    result: Literal["measured", "refused", "not_tried"]
    policy: str = ""
    """Its name or id in the measurement."""
    note: str = ""
    """Repairs, and their reasons; or why it was refused or left out."""


@dataclass(frozen=True, config=_CONFIG)
class ExecutionReport:
    """The result of Execution."""

    attempts: tuple[Attempt, ...]
    """One for each candidate."""
    deployed: str = ""
    """The candidate that is deployed now, if this round changed that."""
    remarks: str = ""
    """What the next plan needs and the figures do not show."""


# ---- learning ----


@dataclass(frozen=True, config=_CONFIG)
class Lesson:
    """A lesson that holds beyond this round."""

    text: str
    """One sentence that names mechanism and figure."""
    worked: bool
    policy: str = ""
    """Name or id, if it is about one policy."""


@dataclass(frozen=True, config=_CONFIG)
class Lessons:
    """The result of Learning, for the next round. It replaces the earlier lessons."""

    lessons: tuple[Lesson, ...]
    """At most 8: those that should guide the next plan."""
    next: str = ""
    """What the next round should try first."""
    go_on: bool = True
    """False: no further gain is expected."""
    why: str = ""
    """Why to go on, or to stop."""


# ---- tasks of the later roles ----


@dataclass(frozen=True, config=_CONFIG)
class PlanningTask:
    """The task of Planning."""

    target: Target
    profile: WorkloadProfile
    left: Left
    history: tuple[Tried, ...] = ()
    """All measurements so far."""
    lessons: Lessons | None = None
    remarks: str = ""
    """Remarks of the last round's execution."""


@dataclass(frozen=True, config=_CONFIG)
class ExecutionTask:
    """The task of Execution."""

    target: Target
    plan: Plan
    left: Left
    deployed: Tried | None = None
    """The deployed policy, the best verified one so far; None: EEVDF."""
    unverified: tuple[Tried, ...] = ()
    """Measured, better than the deployed policy, and not verified yet."""


@dataclass(frozen=True, config=_CONFIG)
class LearningTask:
    """The task of Learning."""

    target: Target
    profile: WorkloadProfile
    plan: Plan
    report: ExecutionReport
    tried: tuple[Tried, ...]
    """Measurements of this round."""
    history: tuple[Tried, ...] = ()
    """Measurements of earlier rounds."""
    lessons: Lessons | None = None
    """So far."""
    left: Left | None = None
