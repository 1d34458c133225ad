"""One agent for all of Optuna's samplers."""

import sys
from collections.abc import Sequence
from pathlib import Path

from schedcp_gym.baselines.agent import Agent, Assignment
from schedcp_gym.baselines.briefing import task_of
from schedcp_gym.baselines.points import Arm, Point, arms_of, choices_of, measure
from schedcp_gym.baselines.tuners.search import MakesSampler, TunerSearch
from schedcp_gym.baselines.tuners.space import SPACES
from schedcp_gym.baselines.tuners.warm import known_points, read_results, screened
from schedcp_gym.spec import BadInput
from schedcp_gym.spec.digest import digest


class Tuner(Agent):
    """Searches policies and their tunables with a sampler of Optuna (Akiba et al., KDD 2019), without a language model.

    The sampler proposes a batch of points. They are measured in parallel, and the sampler gets their rewards in order.
    The size of a batch is a setting, and batches end with an episode. So the points follow from the seed and the
    results, not from the number of workers. A failed policy has the lowest reward.

    All points are measured at the task's scale. ``warm_start`` adds results of earlier measurements: the search begins
    with those at the task's scale, and those at cheaper scales may exclude policies (``screened``). Do not compare a
    tuner that has such results with agents that have none.
    """

    def __init__(
        self,
        *,
        sampler: MakesSampler,
        space: str = "conditional",
        at_defaults: int | None = None,
        shortlist: int | None = None,
        names: int = 8,
        batch: int = 4,
        warm_start: str | None = None,
        screened: int | None = None,
    ) -> None:
        """Set up the search.

        Args:
            sampler: Returns a sampler for a seed: a class of ``optuna.samplers`` with its other arguments.
            space: ``conditional``: a policy, then its tunables; ``flat``: all tunables of all policies in one vector.
            at_defaults: How many policies, in random order, are first measured at their defaults; None: all.
            shortlist: How many policies are searched afterwards, those whose defaults were best; None: all.
            names: How many process names a text tunable may have, those with most CPU time under EEVDF.
            batch: Number of points that the sampler proposes together.
            warm_start: A file of results from ``schedcp-gym repository export``, or a folder of such files.
            screened: How many policies remain after screening by results of ``warm_start`` at a cheaper scale; see
                :func:`~schedcp_gym.baselines.tuners.warm.screened`. None: all.

        Raises:
            BadInput: A value is not allowed, or there is no such space.
        """
        if space not in SPACES:
            raise BadInput(f"agent.space must be one of {', '.join(sorted(SPACES))}, not {space!r}")
        if not callable(sampler):
            raise BadInput("agent.sampler must name a class of optuna.samplers as _target_, with _partial_: true")
        for name, value, least in (
            ("at_defaults", at_defaults, 0),
            ("shortlist", shortlist, 1),
            ("names", names, 0),
            ("batch", batch, 1),
            ("screened", screened, 1),
        ):
            if value is not None and value < least:
                raise BadInput(f"agent.{name} must be {least} or more, not {value}")
        if shortlist is not None and at_defaults is not None and shortlist > at_defaults:
            raise BadInput(f"agent.shortlist={shortlist} must not be more than agent.at_defaults={at_defaults}")
        if screened is not None and warm_start is None:
            raise BadInput("agent.screened needs results at a cheaper scale: give them with agent.warm_start=FILE")
        self.sampler = sampler
        self.space = SPACES[space]
        self.at_defaults = at_defaults
        self.shortlist = shortlist
        self.names = names
        self.batch = batch
        self.warm_start = warm_start
        self.screened = screened

    def run(self, given: Assignment) -> None:
        """Propose points and measure them until the budget is spent.

        Raises:
            BadInput: The sampler needs a package that is not installed.
        """
        given.env.reset(seed=given.seed)
        arms, known = self._start(given)
        search = TunerSearch(
            arms,
            self.sampler,
            self.space,
            given.seed,
            at_defaults=self.at_defaults,
            shortlist=self.shortlist,
            known=known,
        )
        while True:
            try:
                points = search.ask(min(self.batch, task_of(given).steps_left))
            except ModuleNotFoundError as error:
                raise BadInput(
                    f"agent.sampler needs {error.name}: {sys.executable} -m pip install 'schedcp_gym[rl]'\n"
                    "then repeat the command to resume the run"
                ) from error
            search.tell(measure(given, points))

    def _start(self, given: Assignment) -> tuple[Sequence[Arm], list[tuple[Point, float]]]:
        """Return the policies to search, and the points known beforehand. The record notes both."""
        task, choices = task_of(given), choices_of(given)
        arms: Sequence[Arm] = arms_of(choices, self.names)
        if self.warm_start is None:
            return arms, []
        results = read_results(Path(self.warm_start))
        if self.screened is not None:
            arms = screened(results, task, choices, arms, self.screened)
            given.note({"screened": [arm.policy for arm in arms]})
        known = known_points(results, task, choices, arms)
        plain = [[point.policy, dict(point.numbers), reward] for point, reward in known]
        # With the points' digest in the record, a run can't be resumed with other results.
        given.note({"warm_start": self.warm_start, "points": len(known), "points_sha256": digest(plain)})
        return arms, known
