"""The policies of the catalogue as they are, as an agent."""

from schedcp_gym.baselines.agent import Agent, Assignment
from schedcp_gym.baselines.points import arms_of, choices_of, measure, measured_at_once


class Library(Agent):
    """Measures every policy of the catalogue once at its defaults, in order of name: the gain without any tuning."""

    def run(self, given: Assignment) -> None:
        """Measure each policy, then end."""
        points = [arm.at_defaults for arm in arms_of(choices_of(given), names=0)]
        given.env.reset(seed=given.seed)
        while points:
            size = measured_at_once(given)
            measure(given, points[:size])
            points = points[size:]
        given.note({"ended": "every policy of the library was measured"})
