"""The library as it is, as an agent."""

from schedcp_gym.baselines.agent import Agent, Assignment
from schedcp_gym.baselines.briefing import task_of
from schedcp_gym.baselines.points import arms_of, choices_of, measure


class Library(Agent):
    """Measures every policy of the catalogue once at its defaults, by name: what choosing without tuning gives."""

    def __init__(self, *, batch: int = 4) -> None:
        """Sets what can be set.

        Args:
            batch: Policies that are measured at once; it changes nothing but time.
        """
        self.batch = max(1, batch)

    def run(self, given: Assignment) -> None:
        """Measures each policy, then ends."""
        points = [arm.at_defaults for arm in arms_of(choices_of(given), names=0)]
        given.env.reset(seed=given.seed)
        while points:
            size = min(self.batch, task_of(given).steps_left)
            measure(given, points[:size])
            points = points[size:]
        given.note({"ended": "every policy of the library was measured"})
