"""The result of a trial."""

import enum
from typing import Any

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


class Outcome(enum.StrEnum):
    """The end of a trial. Except for ``ok`` and ``infra_fault``, the policy or the workload is the cause."""

    OK = "ok"
    REJECTED = "rejected"  # by the source check, the compiler, the kernel's verifier, or on attaching
    EJECTED = "ejected"  # the kernel removed the policy while it ran
    TIMEOUT = "timeout"
    GUEST_CRASH = "guest_crash"  # panic, out of memory, reset
    WORKLOAD_ERROR = "workload_error"  # the workload failed, or its metrics are missing
    INFRA_FAULT = "infra_fault"  # the host failed: never scored


@dataclass(frozen=True, config=ConfigDict(extra="ignore"))
class Measurement:
    """The result of a trial.

    Attributes:
        trial: The trial's digest.
        outcome: How it ended.
        metrics: The workload's metrics by name (the name includes the unit). Empty unless ``ok``.
        events: Increase of sched_ext's event counters during the workload, by the kernel's names; zeros are left out.
        utilisation: Busy share of the CPUs' time during the workload, 0 to 1.
        cpu_s_by_name: CPU seconds (user and system) by process name, counted when processes end.
        caches: Charges of the cache model by process name: ``cold_l2_s``, ``cold_llc_s``, ``handoff_s``, ``smt_s``,
            ``remote_s`` (CPU seconds), ``switches``, ``core_moves``, ``llc_moves``, ``node_moves``. Empty without a
            cache model.
        timings_s: Host seconds: ``restore``, ``job``, ``total``.
        job_s: Guest seconds of the job, set-up included.
        pages_scanned: Pages that the guest's kernel scanned because memory was short. Above 0, the measurement may not
            be exact.
        digests: Of image, kernel, qemu, policy, object and workload, to repeat the trial.
        message: The reason for another outcome than ``ok``, in one or two lines.
        log: The evidence: lines of the compiler, the kernel verifier's log, or the guest's console.
        host: Real clock: shares of the cores' time that the hypervisor and other processes used (``steal_share``,
            ``others_share``), and the host's ``load`` before.
        contaminated: Real clock: whether these were so high that the metrics do not count.
        cached: Whether the measurement was read from the store.
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
        """Return whether the outcome is ``ok``: only then there are metrics."""
        return self.outcome is Outcome.OK

    def exact(self) -> dict[str, Any]:
        """Return the part that is a pure function of the trial on the virtual clock: without host times."""
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
