"""The search space in Optuna's terms."""

import abc
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from schedcp_gym.baselines.points import Arm, Axis, Point

if TYPE_CHECKING:
    import optuna

#: Whole numbers with at least this many values are searched as continuous numbers, and rounded.
FINE = 100
#: The parameter that chooses the policy; the others are ``<policy>.<tunable>``.
POLICY = "policy"


class Space(abc.ABC):
    """Policies and their tunables as the parameters of a study."""

    def __init__(self, arms: Sequence[Arm]) -> None:
        """Set up the space of some policies.

        Args:
            arms: The policies. If there is only one, the policy is not a parameter.
        """
        self.arms = {arm.policy: arm for arm in arms}

    @abc.abstractmethod
    def ask(self, study: "optuna.Study") -> tuple["optuna.Trial", Point]:
        """Let the study's sampler choose a point; return Optuna's trial and the point."""

    @abc.abstractmethod
    def known(self, point: Point, reward: float) -> "optuna.trial.FrozenTrial":
        """Return a measured point as a trial of Optuna, for a study to learn from."""


class Conditional(Space):
    """Chooses a policy first, a category, and then only the chosen one's tunables (define by run)."""

    def ask(self, study: "optuna.Study") -> tuple["optuna.Trial", Point]:
        """Let the study's sampler choose a policy, then its tunables."""
        trial = study.ask()
        names = list(self.arms)
        arm = self.arms[names[0] if len(names) == 1 else trial.suggest_categorical(POLICY, names)]
        numbers = [(axis.name, _suggest(trial, _parameter(arm, axis), axis)) for axis in arm.axes]
        return trial, Point(arm.policy, tuple(numbers))

    def known(self, point: Point, reward: float) -> "optuna.trial.FrozenTrial":
        """Return a measured point, with the parameters of its own policy only."""
        from optuna.distributions import BaseDistribution, CategoricalDistribution
        from optuna.trial import create_trial

        arm, numbers = self.arms[point.policy], dict(point.numbers)
        distributions: dict[str, BaseDistribution] = {}
        params: dict[str, Any] = {}
        if len(self.arms) > 1:
            distributions[POLICY], params[POLICY] = CategoricalDistribution(list(self.arms)), arm.policy
        for axis in arm.axes:
            distributions[_parameter(arm, axis)] = _range(axis)
            params[_parameter(arm, axis)] = numbers[axis.name]
        return create_trial(params=params, distributions=distributions, value=reward)


class Flat(Space):
    """Has one vector of all tunables of all policies, for samplers that work on vectors of numbers only.

    The policy is a whole number: its index in the arms. So the order of the arms should mean something, such as best
    first. Only the tunables of the chosen policy count.
    """

    def ask(self, study: "optuna.Study") -> tuple["optuna.Trial", Point]:
        """Let the study's sampler choose the whole vector."""
        trial = study.ask(self._distributions())
        arm = list(self.arms.values())[trial.params.get(POLICY, 0)]
        return trial, Point(
            arm.policy, tuple((axis.name, round(trial.params[_parameter(arm, axis)])) for axis in arm.axes)
        )

    def known(self, point: Point, reward: float) -> "optuna.trial.FrozenTrial":
        """Return a measured point. Tunables of other policies, which did not count, have their defaults."""
        from optuna.trial import create_trial

        params = {_parameter(arm, axis): axis.default for arm in self.arms.values() for axis in arm.axes}
        params |= {_parameter(self.arms[point.policy], axis): number for axis, number in self._numbers(point)}
        if len(self.arms) > 1:
            params[POLICY] = list(self.arms).index(point.policy)
        return create_trial(params=params, distributions=self._distributions(), value=reward)

    def _numbers(self, point: Point) -> list[tuple[Axis, int]]:
        numbers = dict(point.numbers)
        return [(axis, numbers[axis.name]) for axis in self.arms[point.policy].axes]

    def _distributions(self) -> dict[str, "optuna.distributions.BaseDistribution"]:
        from optuna.distributions import BaseDistribution, IntDistribution

        found: dict[str, BaseDistribution] = {
            _parameter(arm, axis): _range(axis) for arm in self.arms.values() for axis in arm.axes
        }
        return found if len(self.arms) == 1 else {POLICY: IntDistribution(0, len(self.arms) - 1), **found}


#: Value of ``agent.space`` → space.
SPACES: dict[str, type[Space]] = {"conditional": Conditional, "flat": Flat}


def _parameter(arm: Arm, axis: Axis) -> str:
    return f"{arm.policy}.{axis.name}"


def _range(axis: Axis) -> "optuna.distributions.IntDistribution | optuna.distributions.FloatDistribution":
    from optuna.distributions import FloatDistribution, IntDistribution

    if _is_fine(axis):
        return FloatDistribution(axis.low, axis.high, log=axis.log)
    return IntDistribution(axis.low, axis.high, log=axis.log)


def _suggest(trial: "optuna.Trial", name: str, axis: Axis) -> int:
    if _is_fine(axis):
        return round(trial.suggest_float(name, axis.low, axis.high, log=axis.log))
    return trial.suggest_int(name, axis.low, axis.high, log=axis.log)


def _is_fine(axis: Axis) -> bool:
    """Return whether the axis has so many values that it is searched as a continuous one.

    Optuna's Gaussian process tries whole numbers one by one. With a million values that takes seconds for each point.
    """
    return axis.high - axis.low >= FINE
