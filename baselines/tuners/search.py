"""The points to measure next: first the policies' defaults, then the points of a sampler."""

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
    """A class of ``optuna.samplers`` with all settings but the seed and, for some classes, the first point (``x0``)."""

    def __call__(self, *, seed: int, **more: Any) -> "optuna.samplers.BaseSampler":
        """Return the sampler."""


class TunerSearch:
    """Proposes points (``ask``) and learns their rewards (``tell``), batch by batch.

    The points follow from the arguments and the rewards. First come policies at their defaults, in an order that the
    seed decides. Then come those with text tunables, with the process with most CPU time in one of them. Optuna's study
    begins with these results. A sampler that accepts a first point (``x0``) gets the best of them.
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
        """Prepare a search. The study is created when the defaults are measured.

        Args:
            arms: Policies that may be chosen.
            make_sampler: Returns Optuna's sampler.
            space: Translates policies and tunables into Optuna's parameters.
            seed: All randomness comes from it.
            at_defaults: How many policies are first measured at their defaults; None: all.
            shortlist: How many policies are searched afterwards, those with the best results so far; None: all.
            known: Points with their rewards. They are given to the study and not measured again at the beginning.
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
        """Return the points to measure next: ``size``, or fewer at the end of the defaults."""
        waiting = self._first[len(self._rewards) :][:size]
        if waiting:
            return waiting
        if self._study is None:
            self._searched, self._study = self._begin()
        asked = [self._searched.ask(self._study) for _ in range(size)]
        self._asked = [trial for trial, _ in asked]
        return [point for _, point in asked]

    def tell(self, rewards: Sequence[float]) -> None:
        """Give the search the rewards of the last points, in order."""
        if self._study is None:
            self._rewards += rewards
            return
        for trial, reward in zip(self._asked, rewards, strict=True):
            self._study.tell(trial, reward)

    def _begin(self) -> tuple[Space, "optuna.Study"]:
        """Return the space of the search, and a study with the results so far."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        gave = [*self._known, *zip(self._first, self._rewards, strict=True)]
        best = {point.policy: reward for point, reward in sorted(gave, key=lambda one: one[1])}
        # Best first: a space may use a policy's position as a number, which then has a direction.
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
            warnings.simplefilter("ignore", FutureWarning)  # Optuna 6 will have no x0; pyproject.toml requires 5
            return self._sampler(seed=self._seed, **start)
