"""Hill climbing: change one tunable of the best policy at a time."""

from typing import Any

import numpy as np

from schedcp_gym.baselines.agent import Agent, Assignment
from schedcp_gym.envs.choice import value_at
from schedcp_gym.spec import EEVDF


class HillClimb(Agent):
    """Measure some policies at their defaults, in random order, then change one number of the best at a time.

    Args:
        policies: How many policies to measure at their defaults first.
    """

    def __init__(self, *, policies: int = 3) -> None:
        self.policies = policies

    def run(self, given: Assignment) -> None:
        """Search until the budget is spent; the environment then raises, and the run ends."""
        env, rng = given.env, np.random.default_rng(given.seed)
        env.reset(seed=given.seed)  # measures EEVDF
        encode = env.get_wrapper_attr("encode")
        choices = {choice.name: choice for choice in env.get_wrapper_attr("choices") if choice.name != EEVDF}
        best: tuple[float, str, dict[str, Any]] = (-np.inf, "", {})

        def measure(name: str, values: dict[str, Any]) -> None:
            nonlocal best
            _, reward, _, truncated, _ = env.step(encode(name, values))
            best = max(best, (float(reward), name, values), key=lambda found: found[0])
            if truncated:
                env.reset()  # the next episode: another workload seed

        for name in rng.permutation(list(choices))[: self.policies]:
            measure(str(name), {})
        while True:
            _, name, values = best
            numbers = [tunable for tunable in choices[name].tunables if not tunable.is_name]
            if not numbers:
                return  # nothing to climb on
            changed = numbers[rng.integers(len(numbers))]
            measure(name, {**values, changed.name: value_at(changed, rng.random())})
