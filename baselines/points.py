"""Points of the search space of catalogue policies: what tuners and references measure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schedcp_gym.baselines.agent import Assignment
from schedcp_gym.baselines.briefing import task_of
from schedcp_gym.envs.base import SchedEnv
from schedcp_gym.envs.choice import Choice
from schedcp_gym.envs.observation import nameable
from schedcp_gym.spec import EEVDF, Tunable, TunableType


@dataclass(frozen=True)
class Axis:
    """A tunable as a range of whole numbers: a number is itself, a bool is 0 or 1, a text is a rank.

    Rank 0 is the empty text, rank n the process with the n-th most CPU time under EEVDF: names follow from an
    episode's workload seed, ranks mean the same under every one.
    """

    name: str
    low: int
    high: int
    log: bool
    default: int
    is_rank: bool = False


@dataclass(frozen=True)
class Arm:
    """A policy that may be chosen, and the axes of what may be set on it."""

    policy: str
    axes: tuple[Axis, ...]

    @property
    def at_defaults(self) -> "Point":
        """The policy as the catalogue has it."""
        return Point(self.policy, tuple((axis.name, axis.default) for axis in self.axes))

    @property
    def named(self) -> tuple["Point", ...]:
        """The policy with one text at a time naming the process with most CPU time, the rest at its default."""
        defaults = dict(self.at_defaults.numbers)
        texts = [axis.name for axis in self.axes if axis.is_rank and axis.high > 0]
        return tuple(Point(self.policy, tuple((defaults | {text: 1}).items())) for text in texts)


@dataclass(frozen=True)
class Point:
    """A policy, and a number for each of its axes."""

    policy: str
    numbers: tuple[tuple[str, int], ...]


def arms_of(choices: Sequence[Choice], names: int) -> tuple[Arm, ...]:
    """All policies but EEVDF, which every reset measures anyway.

    Args:
        choices: The catalogue.
        names: How many processes a text may name. A cgroup stays empty: of cgroups, nothing is observed.
    """
    return tuple(
        Arm(
            choice.name,
            tuple(_axis(tunable, names) for tunable in choice.tunables if tunable.type is not TunableType.CGROUP),
        )
        for choice in choices
        if choice.name != EEVDF
    )


def _axis(tunable: Tunable, names: int) -> Axis:
    if tunable.type is TunableType.TEXT:
        return Axis(tunable.name, 0, names, log=False, default=0, is_rank=True)
    if tunable.type is TunableType.BOOL:
        return Axis(tunable.name, 0, 1, log=False, default=int(tunable.default))
    low = max(tunable.low, 1) if tunable.log else tunable.low
    return Axis(tunable.name, low, tunable.high, tunable.log, int(tunable.default))


def choices_of(given: Assignment) -> tuple[Choice, ...]:
    """The catalogue that the task's actions choose from."""
    choices: tuple[Choice, ...] = given.env.get_wrapper_attr("choices")
    return choices


def action_of(task: SchedEnv, point: Point) -> Any:
    """The action for a point in the task's present episode; a rank beyond its processes is the last of them."""
    assert task.baseline is not None
    texts = ["", *nameable(task.baseline)]
    (choice,) = (choice for choice in task.get_wrapper_attr("choices") if choice.name == point.policy)
    is_text = {tunable.name for tunable in choice.tunables if tunable.is_name}
    values: dict[str, object] = {
        name: texts[min(number, len(texts) - 1)] if name in is_text else number for name, number in point.numbers
    }
    return task.get_wrapper_attr("encode")(point.policy, values)


def measure(given: Assignment, points: Sequence[Point]) -> list[float]:
    """Measures points of one episode, at once where the lab can; returns their rewards, in order.

    Begins the next episode when this one is over. There must be no more points than ``task.steps_left``.

    Raises:
        BudgetSpent: The budget allows no further step.
    """
    actions = [action_of(task_of(given), point) for point in points]
    given.env.get_wrapper_attr("prefetch")(actions)
    rewards, is_over = [], False
    for action in actions:
        _observation, reward, _terminated, is_over, _info = given.env.step(action)
        rewards.append(float(reward))
    if is_over:
        given.env.reset()
    return rewards
