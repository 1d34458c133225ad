"""One environment that measures several actions at once, as a vector of episodes."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space


class Halted(BaseException):
    """Carries an exception of an environment through RLlib, which has words of its own for any ``Exception``.

    Attributes:
        cause: What the environment raised: that the budget is spent, or what the host could not do.
    """

    def __init__(self, cause: Exception) -> None:
        """Wraps an exception."""
        super().__init__(cause)
        self.cause = cause


class Lanes(VectorEnv[Any, Any, Any]):
    """Episodes side by side in one episode of one environment, which measures their actions in parallel.

    Each step takes an action from every lane, asks the environment to measure them all (``prefetch``), and then makes
    one step with each, in order. A lane sees what its own action gave, so it is an episode on the environment's
    workload seed like any other, of ``1 / num_envs`` the length. Nothing is measured that the environment does not
    record and charge.
    """

    def __init__(self, env: gym.Env[Any, Any], lanes: int) -> None:
        """Wraps an environment.

        Args:
            env: Its episodes must have a multiple of ``lanes`` steps, see :func:`divisor`.
            lanes: Episodes side by side.
        """
        self.env = env
        self.num_envs = lanes
        self.single_observation_space = env.observation_space
        self.single_action_space = env.action_space
        self.observation_space = batch_space(env.observation_space, lanes)
        self.action_space = batch_space(env.action_space, lanes)
        self.metadata = {**env.metadata, "autoreset_mode": AutoresetMode.NEXT_STEP}
        self._is_over = False
        self._begun: Any = None

    def begin(self, seed: int) -> None:
        """Begins the first episode, before anything is learnt; the next reset gives it, whatever its seed."""
        self._begun, _ = self.env.reset(seed=seed)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begins an episode in every lane.

        Raises:
            Halted: The environment raised an exception.
        """
        first = seed[0] if isinstance(seed, list) else seed
        observation, self._begun = self._begun, None
        if observation is None:
            try:
                observation, _ = self.env.reset(seed=first, options=options)
            except Exception as error:  # whatever it is, it is not RLlib's to handle
                raise Halted(error) from error
        self._is_over = False
        return np.stack([observation] * self.num_envs), {}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Makes a step in every lane; the one after an episode's last begins the next, as Gymnasium's vectors do.

        Raises:
            Halted: The environment raised an exception; that the budget is spent is one.
        """
        nothing, never = np.zeros(self.num_envs), np.zeros(self.num_envs, dtype=bool)
        if self._is_over:
            return self.reset()[0], nothing, never, never, {}
        try:
            steps = self._steps(list(actions))
        except Exception as error:
            raise Halted(error) from error
        observations, rewards, terminated, truncated = (list(column) for column in zip(*steps, strict=True))
        self._is_over = any(terminated) or any(truncated)
        # The lanes share the environment's episode, so they end together.
        ended = np.full(self.num_envs, self._is_over)
        return np.stack(observations), np.array(rewards), np.array(terminated), ended & ~np.array(terminated), {}

    def _steps(self, actions: list[Any]) -> list[tuple[Any, float, bool, bool]]:
        if self.env.has_wrapper_attr("prefetch"):
            self.env.get_wrapper_attr("prefetch")(actions)
        return [(seen, float(reward), *ends) for seen, reward, *ends, _ in map(self.env.step, actions)]


def divisor(lanes: int, steps: int) -> int:
    """The most lanes, not more than ``lanes``, that an episode of ``steps`` can be divided into."""
    return max(count for count in range(1, min(lanes, steps) + 1) if steps % count == 0)
