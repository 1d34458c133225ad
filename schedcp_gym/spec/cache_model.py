"""The parameters of the cache model: costs of cold caches, busy siblings and remote memory."""

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class CacheModel:
    """Parameters of the kernel module that charges tasks for cold caches (``machine/guest/cache_model.c``).

    ``docs/cache-model.md`` gives the formulas and the source of each default.

    Attributes:
        l2_kib: Size of a core's private L2 cache.
        llc_kib: Size of a last-level cache (LLC).
        l2_line_ps: Time for a line of 64 bytes that is missing in the L2 and comes from the LLC, in picoseconds.
        memory_line_ps: Time beyond that for a line that is missing in the LLC too and comes from memory.
        other_llc_line_ps: The same for a line that lies in another LLC of the node.
        other_node_line_ps: The same for a line that lies in an LLC or in memory of another node.
        smt_speed_pct: Speed of each of two busy threads of a core, in percent of a thread's speed alone.
        remote_speed_pct: Speed of a task whose memory is on another node, in percent.
        shared_kib: Data that a waker and the task that it wakes share, if the workload does not declare it.
        resident_pct: Footprint of a process whose workload declares none, in percent of its resident memory (divided
            by its threads).
        resident_cap_kib: Upper limit of such a footprint.
    """

    l2_kib: int = Field(default=1024, ge=64, le=65536)
    llc_kib: int = Field(default=16384, ge=256, le=1 << 20)
    l2_line_ps: int = Field(default=5000, ge=0, le=10**6)
    memory_line_ps: int = Field(default=25000, ge=0, le=10**6)
    other_llc_line_ps: int = Field(default=25000, ge=0, le=10**6)
    other_node_line_ps: int = Field(default=40000, ge=0, le=10**6)
    smt_speed_pct: int = Field(default=62, ge=50, le=100)
    remote_speed_pct: int = Field(default=80, ge=20, le=100)
    shared_kib: int = Field(default=4, ge=0, le=65536)
    resident_pct: int = Field(default=25, ge=0, le=100)
    resident_cap_kib: int = Field(default=512, ge=0, le=65536)
