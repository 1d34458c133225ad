"""One agent for all of Optuna's samplers."""

import sys

from schedcp_gym.baselines.agent import Agent, Assignment
from schedcp_gym.baselines.briefing import task_of
from schedcp_gym.baselines.points import arms_of, choices_of, measure
from schedcp_gym.baselines.tuners.search import MakesSampler, TunerSearch
from schedcp_gym.baselines.tuners.space import SPACES
from schedcp_gym.spec import BadInput


class Tuner(Agent):
    """Searches policies and their tunables with a sampler of Optuna (Akiba et al., KDD 2019), without a model.

    A batch of points is asked for, measured at once, and told in order. Its size is a setting, and is cut where an
    episode ends, so what is asked follows from the seed and the results, not from the number of workers. A failed
    policy is told with its reward, the lowest there is.

    All points are of the task's own scale: cheaper scales are other tasks, which the budget knows nothing of. Nor
    does it start from results of earlier runs: an agent that acts in numbers is given no repository.
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
    ) -> None:
        """Sets what can be set.

        Args:
            sampler: Makes the sampler from a seed: a class of ``optuna.samplers`` with its other arguments.
            space: ``conditional``: a policy, then its tunables; ``flat``: all tunables of all policies in one vector.
            at_defaults: How many policies are first measured at their defaults, in an order drawn; None: all.
            shortlist: How many policies are searched then, those whose defaults were best; None: all.
            names: How many processes a text tunable may name, those with most CPU time under EEVDF.
            batch: Points that are asked for at once.

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
        ):
            if value is not None and value < least:
                raise BadInput(f"agent.{name} must be {least} or more, not {value}")
        if shortlist is not None and at_defaults is not None and shortlist > at_defaults:
            raise BadInput(f"agent.shortlist={shortlist} chooses from agent.at_defaults={at_defaults}: not so many")
        self.sampler = sampler
        self.space = SPACES[space]
        self.at_defaults = at_defaults
        self.shortlist = shortlist
        self.names = names
        self.batch = batch

    def run(self, given: Assignment) -> None:
        """Asks, measures and tells until the budget is spent.

        Raises:
            BadInput: The sampler needs a package that is not installed.
        """
        search = TunerSearch(
            arms_of(choices_of(given), self.names),
            self.sampler,
            self.space,
            given.seed,
            at_defaults=self.at_defaults,
            shortlist=self.shortlist,
        )
        given.env.reset(seed=given.seed)
        while True:
            try:
                points = search.ask(min(self.batch, task_of(given).steps_left))
            except ModuleNotFoundError as error:
                raise BadInput(
                    f"agent.sampler needs {error.name}: {sys.executable} -m pip install 'schedcp_gym[rl]'\n"
                    "then the same command goes on where it is now"
                ) from error
            search.tell(measure(given, points))
