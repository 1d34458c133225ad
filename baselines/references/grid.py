"""Exhaustive search on a grid, as an agent."""

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from schedcp_gym.baselines.agent import Agent, Assignment
from schedcp_gym.baselines.points import Arm, Axis, Point, arms_of, choices_of, measure, measured_at_once
from schedcp_gym.spec import BadInput

#: Measuring a grid with more points than this would take months.
MOST_POINTS = 1_000_000


class Grid(Agent):
    """Measures the points of a grid over policies and tunables, all of them if the budget is large enough.

    Each number has evenly spaced values over its range, on its declared scale. The first note in the record says how
    many points the grid has, in all and for each policy. A smaller budget cuts the grid: policies take turns, each with
    its defaults first, then with one tunable changed, then with two. The seed decides the order within these groups.

    Each episode has its own workload seed. To measure the whole grid on one workload seed, set ``episode_steps`` to the
    number of points or more.
    """

    def __init__(
        self,
        *,
        points: int = 5,
        changed: int | None = 2,
        names: int = 2,
        policies: Sequence[str] | None = None,
    ) -> None:
        """Set up the grid; nothing is measured yet.

        Args:
            points: Values of each number.
            changed: How many tunables at most differ from their defaults at the same time; None: all of them.
            names: How many process names a text tunable may have, those with most CPU time under EEVDF.
            policies: Names of the policies; None: all of the catalogue.

        Raises:
            BadInput: A value is not allowed.
        """
        for name, value, least in (("points", points, 2), ("changed", changed, 0), ("names", names, 0)):
            if value is not None and value < least:
                raise BadInput(f"agent.{name} must be {least} or more, not {value}")
        self.points = points
        self.changed = changed
        self.names = names
        self.policies = None if policies is None else list(policies)

    def run(self, given: Assignment) -> None:
        """Measure the grid, or as much of it as the budget allows.

        Raises:
            BadInput: A policy does not exist, or the grid has too many points.
        """
        arms = self._arms(given)
        sizes = {arm.policy: self.size(arm) for arm in arms}
        total = sum(sizes.values())
        if total > MOST_POINTS:
            raise BadInput(
                f"the grid has {total:.1e} points, at most {MOST_POINTS:.0e} are possible: "
                "lower agent.points or agent.changed, or choose policies with agent.policies=[…]"
            )
        given.env.reset(seed=given.seed)
        given.note({"grid_points": total, "grid_points_by_policy": sizes})
        given.tell(f"grid: {total} points")
        waiting = self.grid(arms, given.seed)
        while batch := list(itertools.islice(waiting, measured_at_once(given))):
            measure(given, batch)
        given.note({"ended": f"all {total} points of the grid were measured"})

    def size(self, arm: Arm) -> int:
        """Return how many points a policy's grid has, without making them."""
        others = [len(self._values(axis)) - 1 for axis in arm.axes]
        # counts[n] is the number of points with n tunables changed: the coefficients of the product of (1 + other * x).
        counts = [1]
        for other in others:
            counts = [a + other * b for a, b in zip([*counts, 0], [0, *counts], strict=True)]
        return sum(counts[: None if self.changed is None else self.changed + 1])

    def grid(self, arms: Sequence[Arm], seed: int) -> Iterator[Point]:
        """Yield each point once; policies take turns until none has points left."""
        rng = np.random.default_rng(seed)
        turns = [self._grid_of(arm, rng) for arm in arms]
        for round_ in itertools.zip_longest(*turns):
            yield from (point for point in round_ if point is not None)

    def _grid_of(self, arm: Arm, rng: np.random.Generator) -> list[Point]:
        defaults = dict(arm.at_defaults.numbers)
        most = len(arm.axes) if self.changed is None else min(self.changed, len(arm.axes))
        found: list[Point] = []
        for count in range(most + 1):
            level = [
                Point(arm.policy, tuple((defaults | dict(zip(names, values, strict=True))).items()))
                for axes in itertools.combinations(arm.axes, count)
                for names in [[axis.name for axis in axes]]
                for values in itertools.product(*(self._changes(axis) for axis in axes))
            ]
            found += [level[index] for index in rng.permutation(len(level))]
        return found

    def _changes(self, axis: Axis) -> list[int]:
        return [value for value in self._values(axis) if value != axis.default]

    def _values(self, axis: Axis) -> list[int]:
        """Return the axis's values on the grid. The default replaces the value that is nearest to it."""
        count = axis.high - axis.low + 1
        if not axis.is_rank:
            count = min(count, self.points)
        if count < 2:
            return [axis.default]
        spread = (np.geomspace if axis.log else np.linspace)(axis.low, axis.high, count)
        values = sorted({round(float(value)) for value in spread})
        nearest = min(values, key=lambda value: abs(_place(axis, value) - _place(axis, axis.default)))
        values[values.index(nearest)] = axis.default
        return values

    def _arms(self, given: Assignment) -> list[Arm]:
        arms = {arm.policy: arm for arm in arms_of(choices_of(given), self.names)}
        for name in self.policies or []:
            if name not in arms:
                raise BadInput(f"agent.policies: there is no policy {name!r}; there are: {', '.join(arms)}")
        return [arms[name] for name in self.policies or arms]


def _place(axis: Axis, value: int) -> float:
    return math.log(value) if axis.log else float(value)
