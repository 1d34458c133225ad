"""The ends of a run, and how much was there at once: figures that need the order of events."""

from collections.abc import Sequence

from pydantic.dataclasses import dataclass

from schedcp_gym.control.analysis.trace import Trace, Window

#: What is shorter than this share of the run is the beginning, or the end, of any program.
LEAST_SHARE = 0.05
#: At an end of the run half a CPU is free at least, and so many tasks wait at most.
FREE_CPUS, MOST_WAITING = 0.5, 0.25
#: Who had the CPU for this share of it without a sleep is who held the others up.
HELD_SHARE = 0.5


@dataclass(frozen=True)
class End:
    """The first or last part of a run, if CPUs were free in it and nobody waited: no scheduler could fill them.

    Attributes:
        began_us: From the run's start.
        lasted_us: Its length.
        busy_cpus: How many CPUs ran the workload's tasks, on average.
        tasks: Slots of those that ran for most of it in one burst, the longest burst first.
    """

    began_us: int
    lasted_us: int
    busy_cpus: float
    tasks: tuple[int, ...]


def find_start(trace: Trace) -> End | None:
    """The part of the run before the workload filled the CPUs, if it is long."""
    count = _quiet(trace, trace.windows)
    return _end(trace, 0, count)


def find_tail(trace: Trace) -> End | None:
    """The part of the run in which the workload no longer filled the CPUs, if it is long."""
    count = _quiet(trace, trace.windows[::-1])
    return _end(trace, len(trace.windows) - count, len(trace.windows))


def _quiet(trace: Trace, windows: Sequence[Window]) -> int:
    """How many windows there are before the first that is busy; the run's last window is shorter than the others."""
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
    held = [
        task
        for task in trace.tasks
        if task.began_us < ended and task.ended_us > began and task.longest_burst_us >= HELD_SHARE * lasted
    ]
    if first == 0:  # a burst of later is none of the start's
        held = [task for task in held if task.began_us < LEAST_SHARE * trace.lasted_us]
    held.sort(key=lambda task: (-task.longest_burst_us, task.slot))
    return End(began, lasted, round(busy, 3), tuple(task.slot for task in held))


def most_at_once(trace: Trace) -> int:
    """How many tasks were alive at once, at most."""
    return _most([(task.began_us, task.ended_us, 1) for task in trace.tasks])


def memory_peak_kib(trace: Trace) -> int:
    """The most that the processes alive at one time had, if each was at its own peak: no more than that was needed."""
    return _most([(task.began_us, task.ended_us, task.rss_kib) for task in trace.tasks])


def _most(lives: list[tuple[int, int, int]]) -> int:
    changes = sorted([(began, size) for began, _, size in lives] + [(ended, -size) for _, ended, size in lives])
    most = now = 0
    for _, size in changes:
        now += size
        most = max(most, now)
    return most
