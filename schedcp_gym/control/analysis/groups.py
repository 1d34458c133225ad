"""A run's tasks in groups of those that are alike, so that forty jobs are one line of text."""

import re
import statistics
from collections import defaultdict
from functools import cached_property

from pydantic.dataclasses import dataclass

from schedcp_gym.control.analysis.trace import INTERRUPT, KERNEL, Task, Trace, add_up, percentile

#: A member stands out when it had so many times the group's median CPU time, and this share of the whole run's.
STANDS_OUT = 3.0
STANDS_OUT_SHARE = 0.02
#: In smaller groups there is no usual.
CROWD = 4


@dataclass(frozen=True)
class Group:
    """Tasks that are alike.

    Attributes:
        label: The name they share; digits that differ are ``#``.
        kind: ``process`` (it executed a program), ``fork`` (a process that did not) or ``thread``.
        own_names: Whether each has a name of its own, and the label is the program's.
        tasks: The members, in the order they were started.
    """

    label: str
    kind: str
    own_names: bool
    tasks: tuple[Task, ...]

    @cached_property
    def run_us(self) -> int:
        """CPU time of all members."""
        return sum(task.run_us for task in self.tasks)

    @cached_property
    def median_us(self) -> float:
        """Median CPU time of a member."""
        return statistics.median(task.run_us for task in self.tasks)

    @cached_property
    def typical(self) -> Task:
        """The member in the middle, by CPU time."""
        ordered = sorted(self.tasks, key=lambda task: task.run_us)
        return ordered[len(ordered) // 2]

    @cached_property
    def common_words(self) -> frozenset[str]:
        """Arguments that all members have: they tell none from the others. None in a group of one."""
        if len(self.tasks) < 2:
            return frozenset()
        return frozenset.intersection(*(frozenset(task.args[1:]) for task in self.tasks))

    def own_args(self, task: Task) -> list[str]:
        """A member's arguments, without those that all have; an option stays with its value."""
        words = list(task.args[1:])
        return [
            word
            for word, following in zip(words, [*words[1:], ""], strict=False)
            if word not in self.common_words
            or (word.startswith("-") and following and following not in self.common_words)
        ]

    def total(self, name: str) -> int:
        """Sum of a figure over the members."""
        return sum(getattr(task, name) for task in self.tasks)

    def burst_us(self, share: float) -> float:
        """Percentile of the members' bursts."""
        return percentile(add_up([task.bursts for task in self.tasks]), share)

    def waited_us(self, share: float) -> float:
        """Percentile of the members' waits."""
        return percentile(add_up([task.waits for task in self.tasks]), share)

    def outliers(self, all_run_us: int) -> list[Task]:
        """Members that had far more CPU time than the others, the most first."""
        if len(self.tasks) < CROWD:
            return []
        least = max(STANDS_OUT * self.median_us, STANDS_OUT_SHARE * all_run_us)
        return sorted((task for task in self.tasks if task.run_us > least), key=lambda task: -task.run_us)


def group(trace: Trace) -> list[Group]:
    """The run's tasks in groups, the one with the most CPU time first."""
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
    """Who wakes whom how often, by the groups' labels, most often first."""
    labels = {task.slot: found.label for found in groups for task in found.tasks}
    labels |= {KERNEL: "kernel", INTERRUPT: "timer"}
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for waker, wakee, count in trace.all_edges():
        counts[labels.get(waker, "?"), labels.get(wakee, "?")] += count
    return [(*pair, count) for pair, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
