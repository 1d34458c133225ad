"""What the tracer counted, as values: the JSON of ``bpf/tracer/write.c``."""

import dataclasses
import itertools
import json
from collections.abc import Sequence
from functools import cached_property

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from schedcp_gym.spec import SchedcpError

#: Slots of wakers that are no traced task.
KERNEL, INTERRUPT = 0, 65535


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Task:
    """A thread of the workload, from its birth to its end; microseconds, from the run's start.

    Attributes:
        slot: The tracer's number for it, from 1.
        name: Its name at its end.
        file: Name of the program it executed itself; empty for a thread and for a fork.
        args: Its arguments, cut to what the tracer keeps.
        pid: Its own id.
        process: Its process's id.
        parent: Slot of who started it; 0 for the workload's first process.
        began_us: When it was started.
        ended_us: When it ended.
        run_us: On a CPU.
        sleep_us: Off the CPU because it asked to.
        wake_wait_us: Ready but without a CPU, after a wake-up.
        preempted_wait_us: The same, after it had to give up the CPU.
        longest_wait_us: Its longest wait.
        longest_burst_us: Its longest burst: CPU time from a wake-up to the next sleep.
        sleeps: How often it gave up the CPU because it asked to.
        preemptions: How often it had to.
        wakes: How often it was woken.
        wakes_lost: Those of which the waker was not kept.
        migrations: How often it went on on another CPU.
        rss_kib: The process's largest resident memory; 0 where the process ended elsewhere.
        waits: Number of waits by length: element n counts those below 2^n microseconds that are not in the one before.
        bursts: Number of bursts by length.
        wakers: (slot, count) of those who woke it most.
    """

    slot: int
    name: str
    file: str
    args: tuple[str, ...]
    pid: int
    process: int
    parent: int
    began_us: int
    ended_us: int
    run_us: int
    sleep_us: int
    wake_wait_us: int
    preempted_wait_us: int
    longest_wait_us: int
    longest_burst_us: int
    sleeps: int
    preemptions: int
    wakes: int
    wakes_lost: int
    migrations: int
    rss_kib: int
    waits: tuple[int, ...]
    bursts: tuple[int, ...]
    wakers: tuple[tuple[int, int], ...]

    @property
    def wait_us(self) -> int:
        """Ready but without a CPU, all in all."""
        return self.wake_wait_us + self.preempted_wait_us

    @property
    def is_thread(self) -> bool:
        """Whether it is a further thread of a process."""
        return self.pid != self.process


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Cpu:
    """What a CPU did: for the traced tasks, and for others (the rest: idle)."""

    traced_us: int
    other_us: int


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Window:
    """What happened in a stretch of time.

    Attributes:
        waiting_us: Tasks ready without a CPU, added up over the time.
        running_us: Tasks on a CPU, added up over the time.
        wait_us: Length of the waits that ended in it.
        waits: How many those were.
        wakes: Wake-ups.
        sleeps: How often a task went to sleep.
        preemptions: How often one had to give up the CPU.
        migrations: How often one went on on another CPU.
        started: Tasks that were started.
    """

    waiting_us: int
    running_us: int
    wait_us: int
    waits: int
    wakes: int
    sleeps: int
    preemptions: int
    migrations: int
    started: int


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Trace:
    """One traced run.

    Attributes:
        lasted_us: From the start of the workload's first process to the end of its last.
        dropped: Tasks the tracer had no room for.
        most_waiting: Most tasks that waited at once.
        cpus: What each CPU did.
        waiting_us: Time by the number of tasks that waited: 0, 1 … (the last: so many or more).
        running_us: Time by the number of tasks that ran.
        tasks: All tasks, in the order they were started.
        edges: (waker, wakee, count) by slot, beyond those in the tasks.
        window_us: Length of a window.
        windows: The run, cut into windows.
    """

    lasted_us: int
    dropped: int
    most_waiting: int
    cpus: tuple[Cpu, ...]
    waiting_us: tuple[int, ...]
    running_us: tuple[int, ...]
    tasks: tuple[Task, ...]
    edges: tuple[tuple[int, int, int], ...]
    window_us: int
    windows: tuple[Window, ...] = Field(min_length=1)

    @cached_property
    def by_slot(self) -> dict[int, Task]:
        """The tasks by their slots."""
        return {task.slot: task for task in self.tasks}

    @property
    def run_us(self) -> int:
        """CPU time of all traced tasks."""
        return sum(task.run_us for task in self.tasks)

    def all_edges(self) -> list[tuple[int, int, int]]:
        """Who woke whom how often, by slot, most often first."""
        kept = [(waker, task.slot, count) for task in self.tasks for waker, count in task.wakers]
        return sorted([*kept, *self.edges], key=lambda edge: (-edge[2], edge[:2]))

    def program(self, task: Task) -> str:
        """The program a task runs: its own, or that of who started it."""
        seen = set()
        while not task.file and task.parent in self.by_slot and task.slot not in seen:
            seen.add(task.slot)
            task = self.by_slot[task.parent]
        return task.file or task.name


def read(text: str) -> Trace:
    """Reads the tracer's file.

    Raises:
        SchedcpError: It is not what the tracer writes.
    """
    names = [field.name for field in dataclasses.fields(Window)]
    try:
        raw = json.loads(text)
        raw["windows"] = [dict(zip(names, window, strict=True)) for window in raw["windows"]]
        return TypeAdapter(Trace).validate_python(raw)
    except (ValidationError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise SchedcpError(f"the trace can't be read: {str(error).splitlines()[0]}") from None


def percentile(histogram: Sequence[int], share: float) -> float:
    """Microseconds below which a share of a histogram's entries lies; 0 for an empty one.

    Within a bucket entries are taken as spread evenly, so it is right to a factor of two at worst.
    """
    total = sum(histogram)
    if not total:
        return 0.0
    for bucket, below in enumerate(itertools.accumulate(histogram)):
        if below >= share * total:
            low, high = (0.0, 1.0) if bucket == 0 else (2.0 ** (bucket - 1), 2.0**bucket)
            inside = (share * total - (below - histogram[bucket])) / histogram[bucket] if histogram[bucket] else 0.0
            return low + (high - low) * inside
    return 0.0


def add_up(histograms: Sequence[Sequence[int]]) -> list[int]:
    """The sum of histograms."""
    return [sum(column) for column in itertools.zip_longest(*histograms, fillvalue=0)]
