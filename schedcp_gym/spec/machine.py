"""The machine a trial runs on, as a value."""

import enum

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

#: Guest seconds a job may take where neither machine nor workload says.
DEFAULT_JOB_S = 120.0
#: Guest seconds that no job may exceed.
LONGEST_JOB_S = 3600.0
#: CPUs that no machine has more than.
MOST_CPUS = 16


class Clock(enum.StrEnum):
    """What the guest's clock counts."""

    VIRTUAL = "virtual"  # instructions: exact
    REAL = "real"  # host time: noisy


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class MachineSpec:
    """CPUs, memory, clock and kernel of a virtual machine.

    Attributes:
        cpus: CPUs that the guest's kernel uses.
        memory_mib: Guest memory in MiB.
        clock: ``virtual`` (instruction-counted, exact) or ``real`` (host time).
        kernel: ``debian`` (trixie-backports' newest), ``debian:VERSION`` (a release Debian's
            archive holds) or the path of a folder with one's own kernel as ``.deb`` packages
            (``linux-image-*.deb`` and ``linux-headers-*.deb``, as ``make bindeb-pkg`` leaves them).
        max_job_s: Guest seconds a job may take before it is ended; None: what the workload declares, else
            ``DEFAULT_JOB_S``.
        max_host_s: Host seconds a run may take, all included; None: enough for the job's guest seconds.
    """

    cpus: int = Field(default=2, ge=1, le=MOST_CPUS)
    memory_mib: int = Field(default=1024, ge=512, le=8192)
    clock: Clock = Clock.VIRTUAL
    kernel: str = "debian"
    max_job_s: float | None = Field(default=None, gt=0, le=LONGEST_JOB_S)
    max_host_s: float | None = Field(default=None, gt=0, le=36000)

    def host_limit_s(self, job_s: float) -> float:
        """Host seconds a run may take whose job may take ``job_s`` guest seconds."""
        return self.max_host_s or max(600.0, 10 * job_s)
