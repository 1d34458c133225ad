"""Random search: the reference that any clever agent has to beat."""

from typing import Any

import numpy as np

from schedcp_gym.baselines.agent import Agent, Assignment
from schedcp_gym.envs.base import SchedEnv
from schedcp_gym.envs.choice import Choice, value_at
from schedcp_gym.envs.observation import nameable
from schedcp_gym.spec import EEVDF, Tunable, TunableType


class RandomSearch(Agent):
    """Draws policies and tunables, each independent of what was measured before.

    Policies are drawn uniformly, without EEVDF, which every reset measures anyway; numbers uniformly
    over their range, on its declared scale. A text is left empty, or names a process of the
    baseline: a process that used more CPU time is drawn more often.
    """

    def __init__(self, *, empty_text: float = 0.1) -> None:
        """Sets what can be set.

        Args:
            empty_text: Probability of leaving a text empty.
        """
        self.empty_text = empty_text

    def run(self, given: Assignment) -> None:
        """Draws until the budget is spent."""
        env = given.env
        task = env.unwrapped
        assert isinstance(task, SchedEnv)
        rng = np.random.default_rng(given.seed)
        env.reset(seed=given.seed)
        while True:
            # No draw depends on a result, so several can be measured at once. Their number changes nothing but time.
            actions = [self.draw(task, rng) for _ in range(min(2 * task.lab.workers, task.steps_left))]
            env.get_wrapper_attr("prefetch")(actions)
            for action in actions:
                truncated = env.step(action)[3]
            if truncated:
                env.reset()

    def draw(self, task: SchedEnv, rng: np.random.Generator) -> dict[str, Any]:
        """Draws an action for the task's present episode."""
        choices: list[Choice] = [choice for choice in task.get_wrapper_attr("choices") if choice.name != EEVDF]
        choice = choices[rng.integers(len(choices))]
        values = {tunable.name: self._value(tunable, task, rng) for tunable in choice.tunables}
        action: dict[str, Any] = task.get_wrapper_attr("encode")(choice.name, values)
        return action

    def _value(self, tunable: Tunable, task: SchedEnv, rng: np.random.Generator) -> object:
        if not tunable.is_name:
            return value_at(tunable, rng.random())
        if tunable.type is not TunableType.TEXT:
            return tunable.default  # of cgroups, nothing is observed
        assert task.baseline is not None
        names = nameable(task.baseline)
        if not names or rng.random() < self.empty_text:
            return ""
        # A hundredth of a second is what is counted in; it gives processes below it a chance too.
        weights = np.array([task.baseline.cpu_s_by_name.get(name, 0.0) + 0.01 for name in names])
        return names[rng.choice(len(names), p=weights / weights.sum())]
