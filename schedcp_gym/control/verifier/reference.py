"""The machine that the verifier's limits were found on, and what another one differs in."""

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from schedcp_gym.spec import Clock, MachineSpec


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Parts:
    """How many there are of what a machine is made of.

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
        """Whether there are at least as many of each."""
        return (
            self.cpus >= least.cpus
            and self.llcs >= least.llcs
            and self.nodes >= least.nodes
            and self.threads >= least.threads
        )


def parts_of(spec: MachineSpec) -> Parts:
    """What a machine is made of; one without a topology has one LLC, and a thread to each core."""
    if not spec.topology:
        return Parts(cpus=spec.cpus)
    nodes, llcs, _, threads = map(int, spec.topology.split("x"))
    return Parts(spec.cpus, nodes * llcs, nodes, threads)


def slowdown(spec: MachineSpec) -> float:
    """How many times as long an instruction takes on a CPU as on one of the 2-CPU machine; 1 where it is faster.

    On the virtual clock time is counted in instructions of the whole machine, so more CPUs are slower ones. What is a
    number of instructions (a start of a process, a load of a policy, a wake-up) takes so many times as long there, and
    what is a time of its own (a slice, a period, a burst that was calibrated) does not.
    """
    if spec.clock is not Clock.VIRTUAL:
        return 1.0
    ns_per_instruction = (1 if spec.topology else 2) * spec.cpus
    return max(1.0, ns_per_instruction / 4)
