"""The virtual machine of a trial, as a value."""

import dataclasses
import enum
from typing import Any, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import ArgsKwargs

from schedcp_gym.spec.cache_model import CacheModel
from schedcp_gym.spec.topology import MOST_CPUS, Topology

#: Limit of a job in guest seconds, if neither the machine nor the workload sets one.
DEFAULT_JOB_S = 120.0
#: Largest limit of a job in guest seconds.
LONGEST_JOB_S = 3600.0
#: Least memory of a NUMA node in MiB. On the first node the kernel itself needs most of it.
LEAST_NODE_MIB = 256


class Clock(enum.StrEnum):
    """The source of the guest's time."""

    VIRTUAL = "virtual"  # instructions: exact
    REAL = "real"  # host time: noisy


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class MachineSpec:
    """CPUs, memory, clock and kernel of a virtual machine.

    Attributes:
        cpus: Number of CPUs of the guest. With a topology it follows from the topology.
        memory_mib: Guest memory in MiB.
        clock: ``virtual`` (instruction-counted, exact) or ``real`` (host time).
        kernel: ``debian`` (the newest kernel of trixie-backports), ``debian:VERSION`` (a version in Debian's archive),
            or the path of a folder with your own kernel as ``.deb`` packages (``linux-image-*.deb`` and
            ``linux-headers-*.deb``, the output of ``make bindeb-pkg``).
        max_job_s: Limit of a job in guest seconds; None: the workload's limit, else ``DEFAULT_JOB_S``.
        max_host_s: Limit of a whole run in host seconds; None: enough for the job's guest seconds.
        topology: The shape, ``NODESxLLCSxCORESxTHREADS``; empty: no CPU shares anything that costs time.
        cache_model: Costs of cold caches, busy siblings and remote memory; None: they cost nothing. ``True`` stands for
            the default costs and ``False`` for None. A machine with a topology has the default costs by default.
        name: Name of the machine in tables. Two machines that differ only in their names are equal.

    Raises:
        ValueError: A value is out of range, or the values do not fit together; the text says why.

    Example:
        >>> MachineSpec(topology="1x2x4x1").cpus
        8
    """

    cpus: int = Field(default=2, ge=1, le=MOST_CPUS)
    memory_mib: int = Field(default=1024, ge=512, le=8192)
    clock: Clock = Clock.VIRTUAL
    kernel: str = "debian"
    max_job_s: float | None = Field(default=None, gt=0, le=LONGEST_JOB_S)
    max_host_s: float | None = Field(default=None, gt=0, le=36000)
    topology: str = ""
    cache_model: CacheModel | None = None
    name: str = dataclasses.field(default="", compare=False)

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, given: Any) -> Any:
        """Derive the number of CPUs and the default costs from the topology."""
        if not isinstance(given, (dict, ArgsKwargs)):
            return given
        named = dict(given) if isinstance(given, dict) else dict(given.kwargs or {})
        if isinstance(given, ArgsKwargs):
            named.update(zip(cls.__dataclass_fields__, given.args, strict=False))
        shape = named.get("topology") or ""
        if shape:
            topology = Topology.parse(str(shape))
            named.setdefault("cpus", topology.cpus)
        costs = named.get("cache_model", bool(shape))
        named["cache_model"] = (CacheModel() if costs else None) if isinstance(costs, bool) else costs
        return named

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if not self.topology:
            if self.cache_model:
                raise ValueError("cache_model: a machine without a topology has no caches; set topology, say 1x2x4x1")
            return self
        shape = self.shape
        if self.cpus != shape.cpus:
            raise ValueError(f"cpus is {self.cpus}, but topology {self.topology} has {shape.cpus} CPUs: leave cpus out")
        if self.clock is Clock.REAL:
            raise ValueError("a topology needs the virtual clock: on the real clock the host's caches set the costs")
        if self.memory_mib < shape.nodes * LEAST_NODE_MIB:
            raise ValueError(
                f"{shape.nodes} nodes need {shape.nodes * LEAST_NODE_MIB} MiB of memory, {self.memory_mib} are given"
            )
        return self

    @property
    def shape(self) -> Topology:
        """Return the topology. Without one, all CPUs are cores that share one cache."""
        return Topology.parse(self.topology) if self.topology else Topology(cores=self.cpus)

    @property
    def title(self) -> str:
        """Return the machine's name in tables and reports: its own, else its shape or number of CPUs."""
        if self.name:
            return self.name
        return self.topology or f"{self.cpus} CPU{'s' if self.cpus > 1 else ''}"

    def describe(self) -> str:
        """Return the machine in words, for tables and reports."""
        if not self.topology:
            return f"{self.clock} clock, {self.cpus} CPU{'s' if self.cpus > 1 else ''}"
        named = f"machine {self.name}, " if self.name else ""
        return f"{named}{self.shape.describe()}{'' if self.cache_model else ', cold caches cost nothing'}"

    def host_limit_s(self, job_s: float) -> float:
        """Return the limit of a run in host seconds, for a job with a limit of ``job_s`` guest seconds."""
        return self.max_host_s or max(600.0, 10 * job_s)
