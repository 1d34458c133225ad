"""The topology of a machine: NUMA nodes, last-level caches, cores and threads."""

import re

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

#: Largest number of CPUs of a machine.
MOST_CPUS = 16
_SHAPE = re.compile(r"(\d{1,3})x(\d{1,3})x(\d{1,3})x(\d{1,3})")


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Topology:
    """NUMA nodes × last-level caches of a node × cores of a cache × threads of a core.

    CPUs are numbered from the inside out: first the threads of a core, then the cores of a cache, and so on.

    Attributes:
        nodes: NUMA nodes. Each has its own memory.
        llcs: Last-level caches (LLCs) of a node.
        cores: Cores that share a last-level cache. Each has an L2 cache of its own.
        threads: Hardware threads of a core.

    Example:
        >>> Topology.parse("2x1x4x1").cpus
        8
    """

    nodes: int = Field(default=1, ge=1)
    llcs: int = Field(default=1, ge=1)
    cores: int = Field(default=1, ge=1)
    threads: int = Field(default=1, ge=1, le=2)

    def __post_init__(self) -> None:
        if self.cpus > MOST_CPUS:
            raise ValueError(f"{self} has {self.cpus} CPUs; a machine has {MOST_CPUS} at most")

    @classmethod
    def parse(cls, text: str) -> "Topology":
        """Read a shape such as ``1x2x4x1``.

        Raises:
            ValueError: The text is malformed, or no machine can have this shape; the text of the error says why.
        """
        found = _SHAPE.fullmatch(text.strip())
        if not found:
            raise ValueError(f"{text!r} is not of the form NODESxLLCSxCORESxTHREADS, for example 1x2x4x1")
        nodes, llcs, cores, threads = map(int, found.groups())
        if 0 in (nodes, llcs, cores, threads):
            raise ValueError(f"{text}: each of the four numbers must be 1 or more")
        if threads > 2:
            raise ValueError(f"{text}: a core has 1 or 2 threads, not {threads}")
        return cls(nodes, llcs, cores, threads)

    def __str__(self) -> str:
        return f"{self.nodes}x{self.llcs}x{self.cores}x{self.threads}"

    @property
    def cpus(self) -> int:
        """Return the number of CPUs (hardware threads)."""
        return self.nodes * self.llcs * self.cores * self.threads

    @property
    def cpus_per_llc(self) -> int:
        """Return how many CPUs share a last-level cache."""
        return self.cores * self.threads

    @property
    def cpus_per_node(self) -> int:
        """Return how many CPUs a NUMA node has."""
        return self.llcs * self.cpus_per_llc

    def describe(self) -> str:
        """Return the shape in words, for tables and reports."""
        parts = [
            _counted(self.nodes, "node") if self.nodes > 1 else "",
            f"{_counted(self.llcs, 'LLC')}{' each' if self.nodes > 1 else ''}",
            f"{_counted(self.cores, 'core')} each",
            "2 threads each" if self.threads > 1 else "",
        ]
        return f"{self.cpus} CPUs: {', '.join(part for part in parts if part)}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count != 1 else ''}"
