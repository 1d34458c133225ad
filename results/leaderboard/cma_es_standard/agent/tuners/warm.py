"""Results of earlier measurements, for a tuner to start from."""

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
    """The results in a file of JSON lines, as ``schedcp-gym repository export`` writes it, or in a folder of them.

    Raises:
        BadInput: There is none, or a line is not JSON.
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
    """What results say of points of the task, each with its mean reward over workload seeds and machines.

    Only the catalogue's sources as they are now count, on the task's workload and for the workload's own objective.
    A result whose policy was given a name is passed over: names follow from its workload seed.

    Args:
        results: As :func:`read_results` reads them.
        task: The task.
        choices: The catalogue.
        arms: Policies that are asked for.
        scale: Results of which scale; None: of the task's.
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
    """The policies that deserve to be measured at the task's scale: those best at a cheaper one, the dearest known.

    One that is not known there stays, and so does one that can name a process: at its defaults it names none.

    Args:
        results: As :func:`read_results` reads them.
        task: The task.
        choices: The catalogue.
        arms: All policies.
        most: How many of the others stay.
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
    """The point of an arm with those values; None where a value is a name, or out of range."""
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
