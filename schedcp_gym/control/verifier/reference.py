"""The machine that the verifier's limits were found on, and what another one differs in."""

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from schedcp_gym.machine.qemu import clock_shift
from schedcp_gym.spec import Clock, MachineSpec


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Parts:
    """The number of a machine's nodes, caches, cores and CPUs.

    Attributes:
        cpus: CPUs.
        llcs: Last-level caches.
        nodes: NUMA nodes.
        threads: Hardware threads of a core.
    """

    cpus: int = 1
    llcs: int = 1
    nodes: int = 1
    threads: int = 1

    def holds(self, least: "Parts") -> bool:
        """Return whether there are at least as many of each."""
        return (
            self.cpus >= least.cpus
            and self.llcs >= least.llcs
            and self.nodes >= least.nodes
            and self.threads >= least.threads
        )


def parts_of(spec: MachineSpec) -> Parts:
    """Return what a machine is made of."""
    shape = spec.shape
    return Parts(shape.cpus, shape.nodes * shape.llcs, shape.nodes, shape.threads)


def slowdown(spec: MachineSpec) -> float:
    """Return how many times as long an instruction takes on a CPU as on the 2-CPU machine's; 1 where it is faster.

    On the virtual clock time is counted in instructions of the whole machine, so more CPUs are slower ones. What is a
    number of instructions (a start of a process, a load of a policy, a wake-up) takes so many times as long there, and
    what is a time of its own (a slice, a period, a burst that was calibrated) does not.
    """
    if spec.clock is not Clock.VIRTUAL:
        return 1.0
    return max(1.0, _ns_per_instruction(spec) / _ns_per_instruction(MachineSpec()))


def busy_speed(spec: MachineSpec) -> float:
    """Return the least speed of a task that no policy can help: its core's other thread is busy, its memory remote."""
    parts, model = parts_of(spec), spec.cache_model
    if model is None:
        return 1.0
    smt = model.smt_speed_pct / 100 if parts.threads > 1 else 1.0
    return smt * (model.remote_speed_pct / 100 if parts.nodes > 1 else 1.0)


def _ns_per_instruction(spec: MachineSpec) -> int:
    """Return what a CPU takes for an instruction when all share the machine's."""
    return spec.cpus << clock_shift(spec)
