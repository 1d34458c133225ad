"""The start and the end of a run, and how many tasks and how much memory there were at once."""

from collections.abc import Sequence

from pydantic.dataclasses import dataclass

from schedcp_gym.control.analysis.trace import Trace, Window

#: A start or end shorter than this share of the run is normal for any program, and is not reported.
LEAST_SHARE = 0.05
#: In a start or end, at least this many CPUs are free and at most this many tasks wait, on average.
FREE_CPUS, MOST_WAITING = 0.5, 0.25
#: A task with a burst of at least this share of a start or end made the others wait.
HELD_SHARE = 0.5


@dataclass(frozen=True)
class End:
    """The first or last part of a run, if some CPUs were free and no task waited: no scheduler could use them.

    Attributes:
        began_us: Begin of the part, from the run's start.
        lasted_us: Its length.
        busy_cpus: Number of CPUs that ran the workload's tasks, on average.
        tasks: Slots of the tasks that ran for most of it in one burst, the longest burst first.
    """

    began_us: int
    lasted_us: int
    busy_cpus: float
    tasks: tuple[int, ...]


def find_start(trace: Trace) -> End | None:
    """Return the part of a run before the workload used all CPUs; None if it is short."""
    count = _quiet(trace, trace.windows)
    return _end(trace, 0, count)


def find_tail(trace: Trace) -> End | None:
    """Return the part of a run after the workload stopped using all CPUs; None if it is short."""
    count = _quiet(trace, trace.windows[::-1])
    return _end(trace, len(trace.windows) - count, len(trace.windows))


def _quiet(trace: Trace, windows: Sequence[Window]) -> int:
    """Return the number of windows before the first busy one."""
    for place, window in enumerate(windows):
        few = window.running_us <= (len(trace.cpus) - FREE_CPUS) * trace.window_us
        if not few or window.waiting_us > MOST_WAITING * trace.window_us:
            return place
    return len(windows)


def _end(trace: Trace, first: int, last: int) -> End | None:
    began = first * trace.window_us
    ended = min(last * trace.window_us, trace.lasted_us)
    lasted = ended - began
    if len(trace.cpus) < 2 or last - first == len(trace.windows) or lasted < LEAST_SHARE * trace.lasted_us:
        return None
    busy = sum(window.running_us for window in trace.windows[first:last]) / lasted
    # At the start, only tasks that began early count: others may have had their longest burst later.
    latest = LEAST_SHARE * trace.lasted_us if first == 0 else ended
    held = [
        task
        for task in trace.tasks
        if task.began_us < min(latest, ended) and task.ended_us > began and task.longest_burst_us >= HELD_SHARE * lasted
    ]
    held.sort(key=lambda task: (-task.longest_burst_us, task.slot))
    return End(began, lasted, round(busy, 3), tuple(task.slot for task in held))


def most_at_once(trace: Trace) -> int:
    """Return the largest number of tasks that were alive at once."""
    return _most([(task.began_us, task.ended_us, 1) for task in trace.tasks])


def memory_peak_kib(trace: Trace) -> int:
    """Return an upper bound of the memory in use: the peaks of all processes alive at one time, added, in KiB."""
    return _most([(task.began_us, task.ended_us, task.rss_kib) for task in trace.tasks])


def _most(lives: list[tuple[int, int, int]]) -> int:
    changes = sorted([(began, size) for began, _, size in lives] + [(ended, -size) for _, ended, size in lives])
    most = now = 0
    for _, size in changes:
        now += size
        most = max(most, now)
    return most
