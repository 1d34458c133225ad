"""What a trial gave."""

import enum
from typing import Any

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


class Outcome(enum.StrEnum):
    """How a trial ended. Everything but ``ok`` and ``infra_fault`` is the policy's or workload's doing."""

    OK = "ok"
    REJECTED = "rejected"  # source, compiler, kernel verifier or attach said no
    EJECTED = "ejected"  # the kernel threw the policy out while it ran
    TIMEOUT = "timeout"
    GUEST_CRASH = "guest_crash"  # panic, out of memory, reset
    WORKLOAD_ERROR = "workload_error"  # the workload failed, or did not give its metrics
    INFRA_FAULT = "infra_fault"  # the host's doing: never scored


@dataclass(frozen=True, config=ConfigDict(extra="ignore"))
class Measurement:
    """The result of a trial.

    Attributes:
        trial: The trial's digest.
        outcome: How it ended.
        metrics: The workload's metrics by name (units are in the names). Empty unless ``ok``.
        events: sched_ext event counters that rose during the workload, by the kernel's names.
        utilisation: Share of the CPUs' time spent busy during the workload, 0 to 1.
        cpu_s_by_name: CPU seconds (user and system) by process name, as processes ended.
        caches: What the cache model charged, by process name: ``cold_l2_s``, ``cold_llc_s``, ``handoff_s``, ``smt_s``,
            ``remote_s`` (CPU seconds), ``switches``, ``core_moves``, ``llc_moves``, ``node_moves``. Empty without one.
        timings_s: Host seconds: ``restore``, ``job``, ``total``.
        job_s: Guest seconds the job took, set-up included.
        pages_scanned: Pages the guest's kernel looked at for want of memory; when there are any, the measurement need
            not be exact.
        digests: What is needed to repeat it: image, kernel, qemu, policy, object, workload.
        message: Why it is not ``ok``, in one or two lines.
        log: The evidence: compiler lines, the kernel verifier's log, or the guest's console.
        host: Real clock: shares of the cores' time that the hypervisor and other processes took (``steal_share``,
            ``others_share``), and the host's ``load`` before.
        contaminated: Real clock: whether that was too much for the metrics to count.
        cached: Whether it was read from the store instead of run.
    """

    trial: str
    outcome: Outcome
    metrics: dict[str, float] = Field(default_factory=dict)
    events: dict[str, int] = Field(default_factory=dict)
    utilisation: float | None = None
    cpu_s_by_name: dict[str, float] = Field(default_factory=dict)
    caches: dict[str, dict[str, float]] = Field(default_factory=dict)
    timings_s: dict[str, float] = Field(default_factory=dict)
    job_s: float | None = None
    pages_scanned: int = 0
    digests: dict[str, str] = Field(default_factory=dict)
    message: str = ""
    log: str = ""
    host: dict[str, float] = Field(default_factory=dict)
    contaminated: bool = False
    cached: bool = False

    @property
    def ok(self) -> bool:
        """Whether the metrics count."""
        return self.outcome is Outcome.OK

    def exact(self) -> dict[str, Any]:
        """The part that is a pure function of the trial (virtual clock): no host time, no cache mark."""
        return {
            "trial": self.trial,
            "outcome": self.outcome.value,
            "metrics": self.metrics,
            "events": self.events,
            "utilisation": self.utilisation,
            "cpu_s_by_name": self.cpu_s_by_name,
            "job_s": self.job_s,
            **({"caches": self.caches} if self.caches else {}),
        }
