"""Group a run's tasks by similarity, so that a text needs one line for forty jobs."""

import re
import statistics
from collections import defaultdict
from functools import cached_property

from pydantic.dataclasses import dataclass

from schedcp_gym.control.analysis.trace import INTERRUPT, KERNEL, Task, Trace, add_up, percentile

#: An outlier has this many times the median CPU time of its group, and this share of the whole run's CPU time.
STANDS_OUT = 3.0
STANDS_OUT_SHARE = 0.02
#: Smaller groups have no outliers.
CROWD = 4


@dataclass(frozen=True)
class Group:
    """Tasks that are similar.

    Attributes:
        label: The name of all members; ``#`` stands for digits that differ.
        kind: ``process`` (it executed a program), ``fork`` (a process that did not) or ``thread``.
        own_names: Whether each member has a different name. The label is then the program's name.
        tasks: The members, in the order in which they started.
    """

    label: str
    kind: str
    own_names: bool
    tasks: tuple[Task, ...]

    @cached_property
    def run_us(self) -> int:
        """CPU time of all members, in microseconds."""
        return sum(task.run_us for task in self.tasks)

    @cached_property
    def median_us(self) -> float:
        """Median CPU time of a member, in microseconds."""
        return statistics.median(task.run_us for task in self.tasks)

    @cached_property
    def typical(self) -> Task:
        """The member with the median CPU time."""
        ordered = sorted(self.tasks, key=lambda task: task.run_us)
        return ordered[len(ordered) // 2]

    @cached_property
    def common_words(self) -> frozenset[str]:
        """Arguments that all members have; empty in a group of one."""
        if len(self.tasks) < 2:
            return frozenset()
        return frozenset.intersection(*(frozenset(task.args[1:]) for task in self.tasks))

    def own_args(self, task: Task) -> list[str]:
        """Return a member's arguments without the common ones. An option whose value is not common is kept."""
        words = list(task.args[1:])
        return [
            word
            for word, following in zip(words, [*words[1:], ""], strict=False)
            if word not in self.common_words
            or (word.startswith("-") and following and following not in self.common_words)
        ]

    def total(self, name: str) -> int:
        """Return the sum of an attribute over the members."""
        return sum(getattr(task, name) for task in self.tasks)

    def burst_us(self, share: float) -> float:
        """Return a percentile of the members' bursts, in microseconds."""
        return percentile(add_up([task.bursts for task in self.tasks]), share)

    def waited_us(self, share: float) -> float:
        """Return a percentile of the members' waits for a CPU, in microseconds."""
        return percentile(add_up([task.waits for task in self.tasks]), share)

    def outliers(self, all_run_us: int) -> list[Task]:
        """Return the members with far more CPU time than the others, the largest first.

        Args:
            all_run_us: CPU time of the whole run, in microseconds.
        """
        if len(self.tasks) < CROWD:
            return []
        least = max(STANDS_OUT * self.median_us, STANDS_OUT_SHARE * all_run_us)
        return sorted((task for task in self.tasks if task.run_us > least), key=lambda task: -task.run_us)


def group(trace: Trace) -> list[Group]:
    """Return the run's tasks in groups, the group with the most CPU time first."""
    families: dict[tuple[str, str], dict[str, list[Task]]] = defaultdict(lambda: defaultdict(list))
    for task in trace.tasks:
        families[trace.program(task), _kind(task)][_pattern(task.name)].append(task)
    groups = []
    for (program, kind), patterns in families.items():
        members = sum(len(tasks) for tasks in patterns.values())
        if members >= CROWD and 2 * len(patterns) > members:
            everyone = sorted((task for tasks in patterns.values() for task in tasks), key=lambda task: task.slot)
            groups.append(Group(program, kind, True, tuple(everyone)))
        else:
            groups += [Group(_label(pattern, tasks), kind, False, tuple(tasks)) for pattern, tasks in patterns.items()]
    return sorted(groups, key=lambda found: (-found.run_us, found.label, found.kind))


def _kind(task: Task) -> str:
    if task.is_thread:
        return "thread"
    return "process" if task.file else "fork"


def _pattern(name: str) -> str:
    return re.sub(r"\d+", "#", name)


def _label(pattern: str, tasks: list[Task]) -> str:
    names = {task.name for task in tasks}
    return names.pop() if len(names) == 1 else pattern


def wakes(trace: Trace, groups: list[Group]) -> list[tuple[str, str, int]]:
    """Return (label of the waker, label of the woken task, count), the most frequent pair first."""
    labels = {task.slot: found.label for found in groups for task in found.tasks}
    labels |= {KERNEL: "kernel", INTERRUPT: "timer"}
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for waker, wakee, count in trace.all_edges():
        counts[labels.get(waker, "?"), labels.get(wakee, "?")] += count
    return [(*pair, count) for pair, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
