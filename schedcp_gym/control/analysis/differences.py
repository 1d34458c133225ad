"""Compare two runs of a workload: by metric, and by class of tasks."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schedcp_gym.spec import Measurement, Objective, Workload, improvement

#: If there are more than MANY classes, only the LARGEST ones are kept, and one class has all others.
MANY, LARGEST = 8, 3


@dataclass(frozen=True)
class MetricChange:
    """A metric under EEVDF and under a policy. A ratio above 1 is better, also for metrics of which less is better.

    Attributes:
        name: The metric's name.
        weight: Its share in the objective, 0 to 1; 0 if the objective does not use it.
        before: Value under EEVDF.
        after: Value under the policy.
        ratio: Improvement ratio over EEVDF.
        last_ratio: Improvement ratio over the last policy; None without one.
        floor: The least ratio that the objective allows; None without a limit.
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
        """Return whether it is worse than the objective allows."""
        return self.floor is not None and self.ratio < self.floor


@dataclass(frozen=True)
class ClassChange:
    """A class of tasks under EEVDF and under a policy, in pairs.

    Attributes:
        label: The common part of the tasks' names.
        tasks: Number of tasks; 0 if it is not known.
        cpu_s: CPU seconds.
        wait_ms: Time that a task was ready without a CPU, all waits added, mean over the tasks; None without traces.
        p99_wait_ms: 99th percentile of a single wait; None without traces.
        end_s: When the last task ended, from the run's start; None without traces.
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
    """Return the changes of metrics between two measurements that are ok, those of the objective first.

    Metrics that only say what is possible (an objective's ``bound``) are left out.

    Args:
        workload: The workload.
        objective: The objective that gives the weights and floors.
        now: The policy's measurement.
        eevdf: EEVDF's measurement.
        last: The last policy's measurement; None without one.
    """
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
    """Return the classes of processes, by name. Names that differ only in digits are one class.

    Args:
        before: CPU seconds by process name under EEVDF.
        after: The same under the policy.
    """
    names = dict.fromkeys([*before, *after])
    patterns = {name: re.sub(r"\d+", "#", name) for name in names}
    members = Counter(patterns.values())
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for name, pattern in patterns.items():
        label = pattern if members[pattern] > 1 else name
        for side, spent in enumerate((before, after)):
            sums[label][side] += spent.get(name, 0.0)
    found = _largest_first(ClassChange(label, 0, (was, now)) for label, (was, now) in sums.items())
    if len(found) <= MANY:
        return found
    rest = found[LARGEST:]
    total = (sum(change.cpu_s[0] for change in rest), sum(change.cpu_s[1] for change in rest))
    return _largest_first([*found[:LARGEST], ClassChange(f"{len(rest)} other names", 0, total)])


def _largest_first(changes: Iterable[ClassChange]) -> list[ClassChange]:
    return sorted(changes, key=lambda change: (-max(change.cpu_s), change.label))


def class_changes_traced(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[ClassChange]:
    """Return the classes of tasks in two traces; each outlier is a class of its own.

    Args:
        before: ``Analysis.data`` of the summary of EEVDF's run.
        after: The same for the policy's run.
    """
    sides = [_traced_classes(before), _traced_classes(after)]
    found = []
    for key in sides[0]:
        if key not in sides[1]:
            continue
        was, now = (side[key] for side in sides)
        pairs = {name: (was[name], now[name]) for name in ("cpu_s", "wait_ms", "p99_wait_ms", "end_s")}
        found.append(ClassChange(label=key[0], tasks=int(was["tasks"]), **pairs))
    return _largest_first(found)


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
