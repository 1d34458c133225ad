"""Results of earlier measurements, which a tuner may begin with."""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schedcp_gym.baselines.points import Arm, Point
from schedcp_gym.envs.base import SchedEnv
from schedcp_gym.envs.choice import Choice
from schedcp_gym.spec import BadInput, Scale
from schedcp_gym.spec.digest import policy_id


def read_results(path: Path) -> list[dict[str, Any]]:
    """Return the results in a file from ``schedcp-gym repository export``, or in a folder of such files.

    Raises:
        BadInput: There are no results, a file can't be read, or a line is not JSON.
    """
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    found = []
    for file in files:
        try:
            lines = file.read_text().splitlines()
        except OSError as error:
            raise BadInput(f"agent.warm_start: {file}: {error.strerror}") from None
        for number, line in enumerate(lines, 1):
            try:
                record = json.loads(line or "{}")
            except json.JSONDecodeError as error:
                raise BadInput(f"agent.warm_start: {file}: line {number}: not JSON: {error.msg}") from None
            if record.get("kind") == "result":
                found.append(record)
    if not found:
        raise BadInput(f"agent.warm_start: no results in {path}; schedcp-gym repository export FILE writes some")
    return found


def known_points(
    results: Sequence[dict[str, Any]],
    task: SchedEnv,
    choices: Sequence[Choice],
    arms: Sequence[Arm],
    scale: Scale | None = None,
) -> list[tuple[Point, float]]:
    """Return the points of the task that have results, each with its mean reward over workload seeds and machines.

    A result counts if its source is in the catalogue now, its workload is the task's, and its objective is the
    workload's own. A result with a name in a text tunable does not count, because names depend on the workload seed.

    Args:
        results: From :func:`read_results`.
        task: The task.
        choices: The catalogue.
        arms: Policies of the search.
        scale: Scale of the results; None: the task's.
    """
    if task.objective != task.workload.objective:
        return []
    sources = {policy_id(choice.source, {}): choice.name for choice in choices}
    by_name = {arm.policy: arm for arm in arms}
    rewards: dict[Point, list[float]] = defaultdict(list)
    for result in results:
        arm = by_name.get(sources.get(result["policy"], ""))
        is_of_task = (result["workload"], result["scale"]) == (task.workload.name, (scale or task.scale).value)
        if arm is None or not is_of_task or result["objective"] or result["reward"] is None:
            continue
        point = _point(arm, result["values"])
        if point is not None:
            rewards[point].append(float(result["reward"]))
    return [(point, sum(each) / len(each)) for point, each in rewards.items()]


def screened(
    results: Sequence[dict[str, Any]], task: SchedEnv, choices: Sequence[Choice], arms: Sequence[Arm], most: int
) -> list[Arm]:
    """Return the policies to measure at the task's scale: the best ones at the largest cheaper scale with results.

    Policies without results there remain. Policies with a text tunable remain too: the results are of their defaults,
    where the text is empty.

    Args:
        results: From :func:`read_results`.
        task: The task.
        choices: The catalogue.
        arms: All policies.
        most: How many of the other policies remain.
    """
    scales = list(Scale)
    cheaper = reversed(scales[: scales.index(task.scale)])
    known = next((found for scale in cheaper if (found := known_points(results, task, choices, arms, scale))), [])
    best: dict[str, float] = {}
    for point, reward in known:
        best[point.policy] = max(reward, best.get(point.policy, reward))
    judged = [arm.policy for arm in arms if arm.policy in best and not arm.named]
    out = set(sorted(judged, key=lambda policy: -best[policy])[most:])
    return [arm for arm in arms if arm.policy not in out]


def _point(arm: Arm, values: dict[str, Any]) -> Point | None:
    """Return the point of an arm with these values; None if a value is a name or out of range."""
    numbers = dict(arm.at_defaults.numbers)
    axes = {axis.name: axis for axis in arm.axes}
    for name, value in values.items():
        axis = axes.get(name)
        if value == "":
            continue
        if axis is None or axis.is_rank or not axis.low <= int(value) <= axis.high:
            return None
        numbers[name] = int(value)
    return Point(arm.policy, tuple(numbers.items()))
