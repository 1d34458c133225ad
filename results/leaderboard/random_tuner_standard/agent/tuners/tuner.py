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
    """Searches policies and their tunables with a sampler of Optuna (Akiba et al., KDD 2019), without a model.

    A batch of points is asked for, measured at once, and told in order. Its size is a setting, and is cut where an
    episode ends, so what is asked follows from the seed and the results, not from the number of workers. A failed
    policy is told with its reward, the lowest there is.

    All points are of the task's own scale: an environment has one, and its budget counts evaluations, whatever their
    scale. ``warm_start`` gives it results of earlier measurements, by which it must not be compared with agents that
    have none: those at the task's scale it knows from the start, those at cheaper scales prune (``screened``).
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
        """Sets what can be set.

        Args:
            sampler: Makes the sampler from a seed: a class of ``optuna.samplers`` with its other arguments.
            space: ``conditional``: a policy, then its tunables; ``flat``: all tunables of all policies in one vector.
            at_defaults: How many policies are first measured at their defaults, in an order drawn; None: all.
            shortlist: How many policies are searched then, those whose defaults were best; None: all.
            names: How many processes a text tunable may name, those with most CPU time under EEVDF.
            batch: Points that are asked for at once.
            warm_start: A file of results, as ``schedcp-gym repository export`` writes it, or a folder of such files.
            screened: How many policies are searched at all, those best at a cheaper scale by ``warm_start``; see
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
            raise BadInput(f"agent.shortlist={shortlist} chooses from agent.at_defaults={at_defaults}: not so many")
        if screened is not None and warm_start is None:
            raise BadInput("agent.screened goes by results at a cheaper scale: agent.warm_start=FILE names them")
        self.sampler = sampler
        self.space = SPACES[space]
        self.at_defaults = at_defaults
        self.shortlist = shortlist
        self.names = names
        self.batch = batch
        self.warm_start = warm_start
        self.screened = screened

    def run(self, given: Assignment) -> None:
        """Asks, measures and tells until the budget is spent.

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
                    "then the same command goes on where it is now"
                ) from error
            search.tell(measure(given, points))

    def _start(self, given: Assignment) -> tuple[Sequence[Arm], list[tuple[Point, float]]]:
        """What is searched, and what of it is known before the first measurement; the record says both."""
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
        # The points' digest too: a run does not go on from other results than it began with.
        given.note({"warm_start": self.warm_start, "points": len(known), "points_sha256": digest(plain)})
        return arms, known
