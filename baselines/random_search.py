"""Random search: the reference that any clever agent has to beat."""

from typing import Any

import numpy as np

from schedcp_gym.baselines.agent import Agent, Assignment
from schedcp_gym.baselines.briefing import task_of
from schedcp_gym.baselines.points import measured_at_once
from schedcp_gym.envs.base import SchedEnv
from schedcp_gym.envs.choice import Choice, value_at
from schedcp_gym.envs.observation import nameable
from schedcp_gym.spec import EEVDF, Tunable, TunableType


class RandomSearch(Agent):
    """Draws policies and tunables at random, independently of what was measured before.

    Policies are drawn uniformly, without EEVDF, which every reset measures anyway. Numbers are drawn uniformly over
    their range, on its declared scale. A text stays empty, or names a process of the baseline: the more CPU time a
    process used, the more often it is drawn.
    """

    def __init__(self, *, empty_text: float = 0.1) -> None:
        """Set up the search.

        Args:
            empty_text: Probability of leaving a text empty, 0 to 1.
        """
        self.empty_text = empty_text

    def run(self, given: Assignment) -> None:
        """Draw and measure until the budget is spent."""
        env, task = given.env, task_of(given)
        rng = np.random.default_rng(given.seed)
        env.reset(seed=given.seed)
        while True:
            actions = [self.draw(task, rng) for _ in range(measured_at_once(given))]
            env.get_wrapper_attr("prefetch")(actions)
            for action in actions:
                truncated = env.step(action)[3]
            if truncated:
                env.reset()

    def draw(self, task: SchedEnv, rng: np.random.Generator) -> dict[str, Any]:
        """Return a random action for the task's current episode."""
        choices: list[Choice] = [choice for choice in task.get_wrapper_attr("choices") if choice.name != EEVDF]
        choice = choices[rng.integers(len(choices))]
        values = {tunable.name: self._value(tunable, task, rng) for tunable in choice.tunables}
        action: dict[str, Any] = task.get_wrapper_attr("encode")(choice.name, values)
        return action

    def _value(self, tunable: Tunable, task: SchedEnv, rng: np.random.Generator) -> object:
        if not tunable.is_name:
            return value_at(tunable, rng.random())
        if tunable.type is not TunableType.TEXT:
            return tunable.default  # no cgroup names are observed
        assert task.baseline is not None
        names = nameable(task.baseline)
        if not names or rng.random() < self.empty_text:
            return ""
        # CPU time is counted in hundredths of a second. Adding one gives shorter processes a chance too.
        weights = np.array([task.baseline.cpu_s_by_name.get(name, 0.0) + 0.01 for name in names])
        return names[rng.choice(len(names), p=weights / weights.sum())]
