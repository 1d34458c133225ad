"""The verifier's report on a policy: a value that an agent can read."""

import enum
import math

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from schedcp_gym.spec.policy import Value


class Stage(enum.StrEnum):
    """The verifier's stages, in order: the cheap ones before the expensive ones."""

    SOURCE = "source"  # compiled in a jail, checked on the parsed code
    KERNEL = "kernel"  # the kernel's own verifier, in a micro-VM
    BEHAVIOUR = "behaviour"  # a battery with known right answers
    PERFORMANCE = "performance"  # no worse than a share of EEVDF


class Severity(enum.StrEnum):
    """The weight of a finding: an error fails its stage, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Finding:
    """Something wrong in the source.

    Attributes:
        rule: Id of the rule that found it (``queue-never-consumed``).
        line: Line of the policy's source; None when it is about the whole.
        why: What is wrong and what it leads to, in a sentence or two.
        fix: What to do about it.
        severity: Whether it fails the stage.
    """

    rule: str
    line: int | None
    why: str
    fix: str
    severity: Severity = Severity.ERROR


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Figure:
    """A measured figure and the limit it has to keep.

    Attributes:
        case: What was tried (``starvation``).
        name: The figure, its unit in the name (``longest_wait_ms``).
        value: Measured; None when the policy did not last long enough to give one.
        limit: What is allowed.
        at_least: Whether the limit is the smallest allowed value (else the largest).
        why: What a value beyond the limit means, and what usually causes it.
    """

    case: str
    name: str
    value: float | None
    limit: float
    at_least: bool = False
    why: str = ""

    @property
    def kept(self) -> bool:
        """Return whether the limit is kept."""
        if self.value is None:
            return False
        return self.value >= self.limit if self.at_least else self.value <= self.limit


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class StageReport:
    """The report of one stage.

    Attributes:
        stage: Which one.
        passed: Whether the policy may go on.
        summary: One line: what failed, or the figure that is nearest to its limit.
        findings: Of the source stage.
        figures: Of the stages that measure.
        evidence: The shortest useful evidence: some lines.
        log: All there is.
        timings_s: Host seconds: ``total``.
        infra_fault: Whether the host failed, so that nothing is known about the policy.
        guest_s: Guest seconds of its runs.
    """

    stage: Stage
    passed: bool
    summary: str
    findings: tuple[Finding, ...] = ()
    figures: tuple[Figure, ...] = ()
    evidence: str = ""
    log: str = ""
    timings_s: dict[str, float] = Field(default_factory=dict)
    infra_fault: bool = False
    guest_s: float = 0.0


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class VerifierReport:
    """The verifier's report on a policy.

    Attributes:
        policy: Its name.
        tunables: The values it was verified with; others may behave otherwise.
        stages: Reports of the stages that ran, in order; the first that failed is the last.
        digests: What was verified, and on what: ``policy``, ``object``, ``image``, ``kernel``, ``machine``.
        token: Permission to deploy (``scp1.…``); empty unless every stage ran and passed.
    """

    policy: str
    tunables: tuple[tuple[str, Value], ...]
    stages: tuple[StageReport, ...]
    digests: dict[str, str] = Field(default_factory=dict)
    token: str = ""

    @property
    def passed(self) -> bool:
        """Return whether every stage that ran passed."""
        return bool(self.stages) and all(stage.passed for stage in self.stages)

    @property
    def caught_at(self) -> Stage | None:
        """Return the stage that failed; None when none did."""
        return next((stage.stage for stage in self.stages if not stage.passed), None)

    @property
    def guest_s(self) -> float:
        """Return the guest seconds of all its runs."""
        return round(math.fsum(stage.guest_s for stage in self.stages), 6)

    @property
    def infra_fault(self) -> bool:
        """Return whether the host failed, so that nothing is known about the policy."""
        return any(stage.infra_fault for stage in self.stages)
