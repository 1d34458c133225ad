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
    """A tunable as a range of whole numbers.

    A number is itself, a bool is 0 or 1, a text is a rank: 0 is the empty text, n the process with the n-th most CPU
    time under EEVDF. Names differ between workload seeds; ranks mean the same under every seed.
    """

    name: str
    low: int
    high: int
    log: bool
    default: int
    is_rank: bool = False


@dataclass(frozen=True)
class Arm:
    """A policy that may be chosen, with an axis for each tunable that may be set."""

    policy: str
    axes: tuple[Axis, ...]

    @property
    def at_defaults(self) -> "Point":
        """Return the policy with the defaults of its source."""
        return Point(self.policy, tuple((axis.name, axis.default) for axis in self.axes))

    @property
    def named(self) -> tuple["Point", ...]:
        """Return a point for each text tunable: it names the process with most CPU time, the rest are defaults."""
        defaults = dict(self.at_defaults.numbers)
        texts = [axis.name for axis in self.axes if axis.is_rank and axis.high > 0]
        return tuple(Point(self.policy, tuple((defaults | {text: 1}).items())) for text in texts)


@dataclass(frozen=True)
class Point:
    """A policy, and a number for each of its axes."""

    policy: str
    numbers: tuple[tuple[str, int], ...]


def arms_of(choices: Sequence[Choice], names: int) -> tuple[Arm, ...]:
    """Return all policies but EEVDF, which every reset measures anyway.

    Args:
        choices: The catalogue.
        names: How many process names a text tunable may have. Cgroup tunables stay empty, because an agent sees
            process names but no cgroup names.
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
    """Return the catalogue that the task's actions choose from."""
    choices: tuple[Choice, ...] = given.env.get_wrapper_attr("choices")
    return choices


def action_of(task: SchedEnv, point: Point) -> Any:
    """Return the action for a point in the current episode. A rank above the number of names is the last name."""
    assert task.baseline is not None
    texts = ["", *nameable(task.baseline)]
    (choice,) = (choice for choice in task.get_wrapper_attr("choices") if choice.name == point.policy)
    is_text = {tunable.name for tunable in choice.tunables if tunable.is_name}
    values: dict[str, object] = {
        name: texts[min(number, len(texts) - 1)] if name in is_text else number for name, number in point.numbers
    }
    return task.get_wrapper_attr("encode")(point.policy, values)


def measured_at_once(given: Assignment) -> int:
    """Return how many points to measure together, for agents whose points do not depend on results.

    Twice the number of workers keeps all of them busy when trials differ in length. The number changes only the time.
    """
    task = task_of(given)
    return min(2 * task.lab.workers, task.steps_left)


def measure(given: Assignment, points: Sequence[Point]) -> list[float]:
    """Measure points of one episode, in parallel where the lab can, and begin the next episode if this one is over.

    Args:
        given: What the agent was given.
        points: At most ``task.steps_left``.

    Returns:
        Their rewards, in order.

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
