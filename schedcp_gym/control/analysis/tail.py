"""The end of a run, and how much was there at once: figures that need the order of events."""

from pydantic.dataclasses import dataclass

from schedcp_gym.control.analysis.trace import Trace

#: A tail shorter than this share of the run is the end of any program.
LEAST_SHARE = 0.05
#: In the tail at least half a CPU is free, and so many tasks wait at most.
FREE_CPUS, MOST_WAITING = 0.5, 0.25
#: Who had the CPU for this share of the tail without a sleep is who held it up.
HELD_SHARE = 0.5


@dataclass(frozen=True)
class Tail:
    """The last part of a run, if CPUs were free in it and nobody waited: no scheduler can fill them by then.

    Attributes:
        began_us: From the run's start.
        lasted_us: To the run's end.
        busy_cpus: How many CPUs ran the workload's tasks, on average.
        tasks: Slots of those that ran for most of it, the longest burst first.
    """

    began_us: int
    lasted_us: int
    busy_cpus: float
    tasks: tuple[int, ...]


def find_tail(trace: Trace) -> Tail | None:
    """The run's tail, if it has one."""
    if len(trace.cpus) < 2:
        return None
    first = len(trace.windows)
    while first > 0:
        lasted = min(trace.window_us, trace.lasted_us - (first - 1) * trace.window_us)
        window = trace.windows[first - 1]
        few = window.running_us <= (len(trace.cpus) - FREE_CPUS) * lasted
        if lasted > 0 and not (few and window.waiting_us <= MOST_WAITING * lasted):
            break
        first -= 1
    began = first * trace.window_us
    lasted = trace.lasted_us - began
    if first == 0 or lasted < LEAST_SHARE * trace.lasted_us:
        return None
    busy = sum(window.running_us for window in trace.windows[first:]) / lasted
    held = [task for task in trace.tasks if task.ended_us > began and task.longest_burst_us >= HELD_SHARE * lasted]
    held.sort(key=lambda task: (-task.longest_burst_us, task.slot))
    return Tail(began, lasted, busy, tuple(task.slot for task in held))


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
