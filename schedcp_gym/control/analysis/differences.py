"""What changed between two runs of a workload: by metric, and by class of tasks."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schedcp_gym.spec import Measurement, Objective, Workload, improvement

#: Names with more CPU time than the others that are a class of their own, when each process has its own name.
LARGEST = 3
#: With more classes than this, the small ones are one.
MANY = 8


@dataclass(frozen=True)
class MetricChange:
    """A metric before and after; a ratio above 1 is better, whatever the direction.

    Attributes:
        name: The metric's.
        weight: Its share in the objective, 0 to 1; 0 if it is no part of it.
        before: Value under EEVDF.
        after: Value under the policy.
        ratio: Improvement ratio over EEVDF.
        last_ratio: Improvement ratio over the last policy; None without one.
        floor: The least ratio that the objective allows; None if it says nothing.
    """

    name: str
    weight: float
    before: float
    after: float
    ratio: float
    last_ratio: float | None = None
    floor: float | None = None

    @property
    def breaks_floor(self) -> bool:
        """Whether it is worse than the objective allows."""
        return self.floor is not None and self.ratio < self.floor


@dataclass(frozen=True)
class ClassChange:
    """A class of tasks before and after.

    Attributes:
        label: Its name: what the tasks' names have in common.
        tasks: How many there are; 0 where that is not known.
        cpu_s: CPU seconds before and after.
        wait_ms: Mean time a task was ready without a CPU, in all; None without a trace.
        p99_wait_ms: 99th percentile of a single wait; None without a trace.
        end_s: When the last of them ended, from the run's start; None without a trace.
    """

    label: str
    tasks: int
    cpu_s: tuple[float, float]
    wait_ms: tuple[float, float] | None = None
    p99_wait_ms: tuple[float, float] | None = None
    end_s: tuple[float, float] | None = None


def metric_changes(
    workload: Workload, objective: Objective, now: Measurement, eevdf: Measurement, last: Measurement | None
) -> list[MetricChange]:
    """The metrics of two measurements that are ok, the objective's first; what is possible is no metric to improve."""
    total = sum(objective.weights.values())
    bounds = {one.bound for one in (objective, workload.objective, *workload.objectives.values())}
    names = [*objective.weights, *(name for name in workload.metrics if name not in objective.weights)]
    found = []
    for name in names:
        if name in bounds and name not in objective.weights:
            continue
        value = now.metrics[name]
        found.append(
            MetricChange(
                name=name,
                weight=objective.weights.get(name, 0.0) / total,
                before=eevdf.metrics[name],
                after=value,
                ratio=improvement(workload, name, value, eevdf.metrics[name]),
                last_ratio=improvement(workload, name, value, last.metrics[name]) if last and last.ok else None,
                floor=objective.floors.get(name),
            )
        )
    return found


def class_changes_by_name(before: Mapping[str, float], after: Mapping[str, float]) -> list[ClassChange]:
    """Classes of processes by their names, from CPU seconds by name; digits that differ don't make a class."""
    labels = _labels(before, after)
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for side, spent in enumerate((before, after)):
        for name, seconds in spent.items():
            sums[labels[name]][side] += seconds
    found = [ClassChange(label, 0, (was, now)) for label, (was, now) in sums.items()]
    return sorted(found, key=lambda change: (-max(change.cpu_s), change.label))


def _labels(*sides: Mapping[str, float]) -> dict[str, str]:
    most: dict[str, float] = {}
    for name in (name for side in sides for name in side):
        most[name] = max(side.get(name, 0.0) for side in sides)
    by_pattern: dict[str, list[str]] = defaultdict(list)
    for name in most:
        by_pattern[re.sub(r"\d+", "#", name)].append(name)
    labels = {name: names[0] if len(names) == 1 else pattern for pattern, names in by_pattern.items() for name in names}
    if len(by_pattern) <= MANY:
        return labels
    weights: dict[str, float] = defaultdict(float)
    for name, label in labels.items():
        weights[label] += most[name]
    largest = sorted(weights, key=lambda label: (-weights[label], label))[:LARGEST]
    rest = f"{len(weights) - len(largest)} other names"
    return {name: label if label in largest else rest for name, label in labels.items()}


def class_changes_traced(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[ClassChange]:
    """Classes of tasks as the tracer saw them, and those that stand out in one, from two summaries' data.

    Args:
        before: ``Analysis.data`` of the summary of EEVDF's run.
        after: The same of the policy's run.
    """
    sides = [_traced_classes(before), _traced_classes(after)]
    found = []
    for key in sides[0]:
        if key not in sides[1]:
            continue
        was, now = (side[key] for side in sides)
        pairs = {name: (was[name], now[name]) for name in ("cpu_s", "wait_ms", "p99_wait_ms", "end_s")}
        found.append(ClassChange(label=key[0], tasks=int(was["tasks"]), **pairs))
    return sorted(found, key=lambda change: (-max(change.cpu_s), change.label))


def _traced_classes(data: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, float]]:
    tasks = {task["slot"]: task for task in data["trace"]["tasks"]}
    found = {}
    for group in data["groups"]:
        members = [tasks[slot] for slot in group["tasks"]]
        outliers = [tasks[slot] for slot in group["outliers"]]
        usual = [task for task in members if task not in outliers] or members
        found[group["label"], group["kind"]] = {**_figures(usual), "p99_wait_ms": group["p99_wait_us"] / 1000}
        for task in outliers:
            longest = task["longest_wait_us"] / 1000
            found[task["name"], "stands out"] = {**_figures([task]), "p99_wait_ms": longest}
    return found


def _figures(tasks: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    waited = sum(task["wake_wait_us"] + task["preempted_wait_us"] for task in tasks)
    return {
        "tasks": len(tasks),
        "cpu_s": sum(task["run_us"] for task in tasks) / 1e6,
        "wait_ms": waited / len(tasks) / 1000,
        "end_s": max(task["ended_us"] for task in tasks) / 1e6,
    }
