"""The tracer's counts, as values. The tracer writes them as JSON; see ``bpf/tracer/write.c``."""

import dataclasses
import itertools
import json
from collections.abc import Sequence
from functools import cached_property

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from schedcp_gym.spec import SchedcpError

#: Slots of wakers that are not traced tasks.
KERNEL, INTERRUPT = 0, 65535


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Task:
    """A thread of the workload. Times are microseconds; points in time count from the run's start.

    Attributes:
        slot: The tracer's number of the task, from 1.
        name: The task's name at its end.
        file: Name of the program that it executed itself; empty for threads and forks.
        args: The program's arguments, cut to what the tracer stores.
        pid: The task's own id.
        process: The id of its process.
        parent: Slot of the task that started it; 0 for the workload's first process.
        began_us: When it started.
        ended_us: When it ended.
        run_us: Time on a CPU.
        sleep_us: Time off the CPU after it went to sleep.
        wake_wait_us: Time ready but without a CPU, after wake-ups.
        preempted_wait_us: Time ready but without a CPU, after preemptions.
        longest_wait_us: The longest wait for a CPU.
        longest_burst_us: The longest burst: CPU time between a wake-up and the next sleep.
        sleeps: Number of times it went to sleep.
        preemptions: Number of times it was preempted.
        wakes: Number of times it was woken.
        wakes_lost: Wake-ups whose waker was not stored.
        migrations: Number of moves to another CPU.
        rss_kib: The process's largest resident memory; 0 if the process ended in another task.
        waits: Number of waits by length: element n counts those below 2^n us that element n-1 does not count.
        bursts: Number of bursts by length, in the same form.
        wakers: (slot, count) of the tasks that woke it most often.
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
        """Time ready but without a CPU, all waits added."""
        return self.wake_wait_us + self.preempted_wait_us

    @property
    def is_thread(self) -> bool:
        """Return whether it is a further thread of a process."""
        return self.pid != self.process


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Cpu:
    """The time of one CPU: for traced tasks, and for other tasks. The rest was idle."""

    traced_us: int
    other_us: int


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Window:
    """The events in one window of a run.

    Attributes:
        waiting_us: Time that tasks were ready without a CPU, added over the tasks.
        running_us: Time that tasks were on a CPU, added over the tasks.
        wait_us: Length of the waits that ended in the window, added.
        waits: Number of those waits.
        wakes: Number of wake-ups.
        sleeps: Number of times a task went to sleep.
        preemptions: Number of preemptions.
        migrations: Number of moves to another CPU.
        started: Number of tasks that started.
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
        lasted_us: Time from the start of the workload's first process to the end of its last.
        dropped: Number of tasks that the tracer had no room for.
        most_waiting: The largest number of tasks that waited at once.
        cpus: The time of each CPU.
        waiting_us: Time by the number of waiting tasks: 0, 1 … (the last element: that many or more).
        running_us: Time by the number of running tasks, in the same form.
        tasks: All tasks, in the order in which they started.
        edges: (waker, woken task, count) by slot, in addition to those in the tasks.
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
        """Return (waker, woken task, count) by slot, the most frequent pair first."""
        stored = [(waker, task.slot, count) for task in self.tasks for waker, count in task.wakers]
        return sorted([*stored, *self.edges], key=lambda edge: (-edge[2], edge[:2]))

    def program(self, task: Task) -> str:
        """Return the name of the program that a task runs: its own, or that of the task that started it."""
        seen = set()
        while not task.file and task.parent in self.by_slot and task.slot not in seen:
            seen.add(task.slot)
            task = self.by_slot[task.parent]
        return task.file or task.name


def read(text: str) -> Trace:
    """Return the trace in the tracer's file.

    Raises:
        SchedcpError: The text is not a trace.
    """
    names = [field.name for field in dataclasses.fields(Window)]
    try:
        raw = json.loads(text)
        raw["windows"] = [dict(zip(names, window, strict=True)) for window in raw["windows"]]
        return TypeAdapter(Trace).validate_python(raw)
    except (ValidationError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise SchedcpError(f"the trace can't be read: {str(error).splitlines()[0]}") from None


def percentile(histogram: Sequence[int], share: float) -> float:
    """Return the microseconds below which a share of a histogram's entries lies; 0 if it is empty.

    Entries are assumed to be spread evenly within a bucket, so the error is at most a factor of two.
    """
    wanted = share * sum(histogram)
    below = 0
    for bucket, count in enumerate(histogram):
        if count and below + count >= wanted:
            low, high = (2.0 ** (bucket - 1), 2.0**bucket) if bucket else (0.0, 1.0)
            return low + (high - low) * (wanted - below) / count
        below += count
    return 0.0


def add_up(histograms: Sequence[Sequence[int]]) -> list[int]:
    """Return the sum of histograms."""
    return [sum(column) for column in itertools.zip_longest(*histograms, fillvalue=0)]
