"""Compute the points of a run's learning curve."""

import math
from dataclasses import dataclass

from schedcp_gym.run.folder import RunFolder
from schedcp_gym.run.scores import steps_of
from schedcp_gym.spec import REWARD_LIMIT

WIDTH, HEIGHT, EDGE = 320, 120, 24


@dataclass(frozen=True)
class Curve:
    """A learning curve.

    Attributes:
        title: Name of the run.
        points: Points of an SVG polyline: the best reward so far after each evaluation; empty if no policy ran.
        eevdf_y: Height of EEVDF's line, in units of the SVG.
        low: Improvement ratio at the bottom.
        high: Improvement ratio at the top.
        rows: Pairs of evaluations and the best improvement ratio so far; None before a policy ran to its end.
    """

    title: str
    points: str
    eevdf_y: float
    low: float
    high: float
    rows: list[tuple[int, float | None]]


def curve_of(run: RunFolder) -> Curve:
    """Return the learning curve of a run."""
    best = [(step.evaluations, step.best) for step in steps_of(run.record)]
    known = [reward for _number, reward in best if reward > -REWARD_LIMIT]
    low, high = min([0.0, *known]) - 0.05, max([0.0, *known]) + 0.05
    last = max([2, *(number for number, _reward in best)])

    def x(number: int) -> float:
        return round(EDGE + (number - 1) / (last - 1) * (WIDTH - 2 * EDGE), 1)

    def y(reward: float) -> float:
        return round(HEIGHT - EDGE - (reward - low) / (high - low) * (HEIGHT - 2 * EDGE), 1)

    points = " ".join(f"{x(number)},{y(reward)}" for number, reward in best if reward > -REWARD_LIMIT)
    rows = [(number, math.exp(reward) if reward > -REWARD_LIMIT else None) for number, reward in best]
    title = f"{run.workload.name}, seed {run.settings.seed}"
    return Curve(title, points, y(0.0), math.exp(low), math.exp(high), rows)
