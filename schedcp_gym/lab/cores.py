"""Separate cores for trials on the real clock, and what disturbed the trials there."""

import contextlib
import fcntl
import os
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedWriter
from pathlib import Path

from schedcp_gym.paths import cache_root

#: Seconds between two looks for free cores.
LOOK_S = 0.2
#: Shares of the cores' time from which on a measurement counts as contaminated.
STEAL_LIMIT, OTHERS_LIMIT = 0.01, 0.05
#: Fields of a line of /proc/stat, after the CPU's name.
_IDLE, _IOWAIT, _STEAL, _FIELDS = 3, 4, 7, 8


@dataclass
class Disturbance:
    """Other activity on the cores while something ran on them.

    Attributes:
        steal: Share of the cores' time the hypervisor took (0 to 1).
        others: Share that other processes took.
        load: The host's load average at the beginning.
    """

    steal: float = 0.0
    others: float = 0.0
    load: float = 0.0

    @property
    def contaminates(self) -> bool:
        """Return whether a measurement made meanwhile should not count."""
        return self.steal > STEAL_LIMIT or self.others > OTHERS_LIMIT

    def figures(self) -> dict[str, float]:
        """Return the figures as a measurement has them."""
        return {"steal_share": round(self.steal, 4), "others_share": round(self.others, 4), "load": round(self.load, 2)}


@dataclass
class Cores:
    """Cores that nobody else of ours uses, with this thread and its children pinned to them."""

    numbers: tuple[int, ...]
    _locks: list[BufferedWriter] = field(default_factory=list)

    @contextlib.contextmanager
    def watched(self) -> Iterator[Disturbance]:
        """Yield a record of what disturbs the cores; its figures are there when the block ends."""
        found = Disturbance(load=os.getloadavg()[0])
        before, own = _times(self.numbers), _own_s()
        yield found
        total, idle, steal = (after - then for after, then in zip(_times(self.numbers), before, strict=True))
        if total > 0:
            found.steal = steal / total
            found.others = max(0.0, (total - idle - steal - (_own_s() - own)) / total)


def _times(cores: tuple[int, ...]) -> tuple[float, float, float]:
    """Return CPU seconds of some cores since boot: all, idle, stolen."""
    tick, wanted = os.sysconf("SC_CLK_TCK"), {f"cpu{number}" for number in cores}
    total = idle = steal = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *words = line.split()
        if name in wanted:
            ticks = list(map(int, words[:_FIELDS]))
            total += sum(ticks)
            idle += ticks[_IDLE] + ticks[_IOWAIT]
            steal += ticks[_STEAL]
    return total / tick, idle / tick, steal / tick


def _own_s() -> float:
    """Return CPU seconds of this process and of its children that ended."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


@contextlib.contextmanager
def own_cores(count: int) -> Iterator[Cores]:
    """Wait for free cores, reserve them, and pin this thread and what it starts to them.

    Args:
        count: How many; all cores of the host, if it has fewer.
    """
    allowed = sorted(os.sched_getaffinity(0))
    count = min(count, len(allowed))
    while (cores := _take(allowed, count)) is None:
        time.sleep(LOOK_S)
    try:
        os.sched_setaffinity(0, cores.numbers)
        yield cores
    finally:
        os.sched_setaffinity(0, allowed)
        for lock in cores._locks:
            lock.close()


def _take(allowed: list[int], count: int) -> Cores | None:
    """Return as many cores as wanted, or None. The kernel frees them when this process dies."""
    folder = cache_root() / "cores"
    folder.mkdir(exist_ok=True)
    taken = Cores(())
    for number in reversed(allowed):  # the first ones have most of the interrupts
        lock = (folder / str(number)).open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        taken._locks.append(lock)
        taken.numbers = (*taken.numbers, number)
        if len(taken.numbers) == count:
            return taken
    for lock in taken._locks:
        lock.close()
    return None
