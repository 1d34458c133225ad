"""Where to look next for better values: steps from the best that was measured, the coarse ones first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from schedcp_gym.llm.providers._offline.library import Tunable

#: Factors of a step on a logarithmic scale, and parts of the range on a linear one; each pass is finer.
FACTORS = (4.0, 2.0, 1.4)
PARTS = (0.3, 0.12, 0.05)
#: Values nearer than this are the same.
NEAR = 0.04

Value = int | bool | str
Values = Mapping[str, Value]


@dataclass(frozen=True)
class Point:
    """Values that were measured, with all defaults filled in, and the reward they earned (a log, or a failure)."""

    values: Values
    reward: float


def complete(values: Values, tunables: Sequence[Tunable]) -> dict[str, Value]:
    """Values with the defaults of all others."""
    return {tunable.name: values.get(tunable.name, tunable.default) for tunable in tunables}


def steps(
    tunables: Sequence[Tunable], points: Sequence[Point], order: Sequence[str] = (), fixed: Sequence[str] = ()
) -> Iterator[dict[str, Value]]:
    """Points to be measured next, the most promising first: each differs from the best in one value.

    A direction that has gained is gone on in first. A step that was measured stands for finer ones in its direction
    only if those are within it: after a step too far, half of it is tried.

    Args:
        tunables: Those of the policy.
        points: What was measured of it.
        order: Names of tunables that matter most, first.
        fixed: Names of those that are left alone.
    """
    if not points:
        return
    best = max(points, key=lambda point: point.reward)
    numbers = [tunable for tunable in tunables if tunable.type in ("u32", "u64", "bool") and tunable.name not in fixed]
    ranked = sorted(numbers, key=lambda one: order.index(one.name) if one.name in order else len(order))
    seen = [dict(point.values) for point in points]
    # Of several names that are set, one may be what gains.
    named = [tunable.name for tunable in tunables if tunable.type == "text" and best.values.get(tunable.name)]
    for name in named if len(named) > 1 else ():
        values = {**best.values, name: ""}
        if values not in seen:
            seen.append(values)
            yield values
    for level in range(len(FACTORS)):
        for tunable in ranked:
            for value in _around(tunable, best, points, level):
                values = {**best.values, tunable.name: value}
                if not any(_same(values, other, ranked) for other in seen):
                    seen.append(values)
                    yield values


def _around(tunable: Tunable, best: Point, points: Sequence[Point], level: int) -> list[Value]:
    """Values a step up and a step down from the best; first the way that led to it."""
    here = best.values[tunable.name]
    if tunable.type == "bool":
        return [not here] if level == 0 else []
    at = float(here)
    up, down = (_step(tunable, at, sign, level) for sign in (1, -1))
    line = [point for point in points if _differs_only(point, best, tunable.name)]
    lower = [float(point.values[tunable.name]) for point in line if float(point.values[tunable.name]) < at]
    higher = [float(point.values[tunable.name]) for point in line if float(point.values[tunable.name]) > at]
    # Within a bracket that was measured, a coarse step would pass what is known to be worse.
    ways: list[float] = []
    for value, side in ((up, higher), (down, lower)):
        beyond = any(abs(other - at) <= abs(value - at) * (1 + NEAR) for other in side)
        if not beyond or level == len(FACTORS) - 1:
            ways.append(value)
    if lower and not higher:
        ways.sort(reverse=True)
    elif higher and not lower:
        ways.sort()
    return [tunable.inside(value) for value in ways if tunable.inside(value) != here]


def _step(tunable: Tunable, at: float, sign: int, level: int) -> float:
    if tunable.log:
        return float(at * FACTORS[level] ** sign)
    return float(at + sign * PARTS[level] * (tunable.high - tunable.low))


def _differs_only(point: Point, best: Point, name: str) -> bool:
    return all(value == best.values.get(key) for key, value in point.values.items() if key != name)


def _same(one: Values, other: Values, numbers: Sequence[Tunable]) -> bool:
    names = {tunable.name: tunable for tunable in numbers}
    for key, value in one.items():
        theirs = other.get(key)
        tunable = names.get(key)
        if tunable is None or tunable.type == "bool" or not tunable.is_number:
            if value != theirs:
                return False
        elif not _near(float(value), float(theirs or 0), tunable):
            return False
    return True


def _near(one: float, other: float, tunable: Tunable) -> bool:
    if tunable.log:
        return abs(one - other) <= NEAR * max(abs(one), abs(other))
    return abs(one - other) <= NEAR / 4 * (tunable.high - tunable.low)
