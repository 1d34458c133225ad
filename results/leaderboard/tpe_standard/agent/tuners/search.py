"""What to measure next: the library's defaults, then what a sampler asks for."""

import inspect
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from schedcp_gym.baselines.points import Arm, Point
from schedcp_gym.baselines.tuners.space import Space

if TYPE_CHECKING:
    import optuna


class MakesSampler(Protocol):
    """A class of ``optuna.samplers``, with all settings but the seed, and where it begins if it takes that."""

    def __call__(self, *, seed: int, **more: Any) -> "optuna.samplers.BaseSampler":
        """Makes the sampler."""


class TunerSearch:
    """A study that is asked for points and told their rewards, batch by batch.

    What it asks follows from its arguments and what it was told. First come policies at their defaults, in an
    order that the seed decides, then those of them that can name a process with the one that has most CPU time; what
    they gave is where the study starts from. A sampler that takes a point to begin at (``x0``) gets the best of them.
    """

    def __init__(
        self,
        arms: Sequence[Arm],
        make_sampler: MakesSampler,
        space: type[Space],
        seed: int,
        *,
        at_defaults: int | None = None,
        shortlist: int | None = None,
        known: Sequence[tuple[Point, float]] = (),
    ) -> None:
        """Prepares a search; the study is made when the defaults are measured.

        Args:
            arms: Policies that may be chosen.
            make_sampler: Makes Optuna's sampler.
            space: How policies and tunables are parameters.
            seed: All randomness comes from it.
            at_defaults: How many policies are first measured at their defaults; None: all.
            shortlist: How many policies are then searched, those whose defaults were best; None: all.
            known: Points with their rewards, which are not measured first and which the study knows.
        """
        order = np.random.default_rng(seed).permutation(len(arms))[:at_defaults]
        self._arms = arms
        self._sampler = make_sampler
        self._space = space
        self._seed = seed
        self._shortlist = shortlist
        self._known = list(known)
        first = [arms[index].at_defaults for index in order]
        first += [point for index in order for point in arms[index].named]
        self._first = [point for point in first if point not in dict(self._known)]
        self._rewards: list[float] = []
        self._study: optuna.Study | None = None
        self._asked: list[optuna.Trial] = []

    def ask(self, size: int) -> list[Point]:
        """The points to measure next: ``size``, or fewer where the defaults end."""
        waiting = self._first[len(self._rewards) :][:size]
        if waiting:
            return waiting
        if self._study is None:
            self._searched, self._study = self._begin()
        asked = [self._searched.ask(self._study) for _ in range(size)]
        self._asked = [trial for trial, _ in asked]
        return [point for _, point in asked]

    def tell(self, rewards: Sequence[float]) -> None:
        """Takes the rewards of the points asked for last, in order."""
        if self._study is None:
            self._rewards += rewards
            return
        for trial, reward in zip(self._asked, rewards, strict=True):
            self._study.tell(trial, reward)

    def _begin(self) -> tuple[Space, "optuna.Study"]:
        """The space that is searched, and a study that knows what the defaults gave."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        gave = [*self._known, *zip(self._first, self._rewards, strict=True)]
        best = {point.policy: reward for point, reward in sorted(gave, key=lambda one: one[1])}
        # Best first: so that a policy's place, where a space makes a number of it, has a direction.
        ranked = sorted(self._arms, key=lambda arm: -best.get(arm.policy, -np.inf))
        space = self._space(ranked[: self._shortlist])
        known = [space.known(point, reward) for point, reward in gave if point.policy in space.arms]
        study = optuna.create_study(direction="maximize", sampler=self._make_sampler(known))  # in memory
        study.add_trials(known)
        return space, study

    def _make_sampler(self, known: Sequence["optuna.trial.FrozenTrial"]) -> "optuna.samplers.BaseSampler":
        import optuna

        takes_start = "x0" in inspect.signature(self._sampler).parameters
        start = (
            {"x0": max(known, key=lambda trial: trial.value if trial.value is not None else -np.inf).params}
            if takes_start and known
            else {}
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            warnings.simplefilter("ignore", FutureWarning)  # x0 goes in Optuna 6; pyproject.toml keeps to 5
            return self._sampler(seed=self._seed, **start)
