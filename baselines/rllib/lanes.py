"""One environment that measures several actions at the same time, as a vector of episodes."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space


class Halted(BaseException):
    """Carries an environment's exception through RLlib, which catches every ``Exception`` and reports its own.

    Attributes:
        cause: The environment's exception: the budget is spent, or the host failed.
    """

    def __init__(self, cause: Exception) -> None:
        """Wrap an exception."""
        super().__init__(cause)
        self.cause = cause


class Lanes(VectorEnv[Any, Any, Any]):
    """Several episodes inside one episode of one environment, which measures their actions in parallel.

    Each step takes one action from every lane, lets the environment measure all of them (``prefetch``), and then makes
    one step with each, in order. A lane sees the results of its own actions only. So it is an episode like any other on
    the environment's workload seed, ``1 / num_envs`` as long. The environment records and charges every measurement.

    Example:
        >>> lanes = Lanes(as_numbers(env), divisor(4, env.unwrapped.max_steps))
        >>> observations, _ = lanes.reset(seed=1)  # shape (lanes, observation)
    """

    def __init__(self, env: gym.Env[Any, Any], lanes: int) -> None:
        """Wrap an environment.

        Args:
            env: The number of steps of its episodes must be a multiple of ``lanes``; see :func:`divisor`.
            lanes: Number of episodes.
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
        """Begin the first episode before any learning. The next ``reset`` returns this episode, whatever its seed."""
        self._begun, _ = self.env.reset(seed=seed)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode in every lane.

        Raises:
            Halted: The environment raised an exception.
        """
        first = seed[0] if isinstance(seed, list) else seed
        observation, self._begun = self._begun, None
        if observation is None:
            try:
                observation, _ = self.env.reset(seed=first, options=options)
            except Exception as error:  # RLlib must not handle any of them
                raise Halted(error) from error
        self._is_over = False
        return np.stack([observation] * self.num_envs), {}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Make a step in every lane. As in Gymnasium's vectors, the step after the last one begins the next episode.

        Args:
            actions: One per lane, shape (lanes, …).

        Raises:
            Halted: The environment raised an exception, for example because the budget is spent.
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
        # The lanes share one episode of the environment, so they end together.
        ended = np.full(self.num_envs, self._is_over)
        return np.stack(observations), np.array(rewards), np.array(terminated), ended & ~np.array(terminated), {}

    def _steps(self, actions: list[Any]) -> list[tuple[Any, float, bool, bool]]:
        if self.env.has_wrapper_attr("prefetch"):
            self.env.get_wrapper_attr("prefetch")(actions)
        return [(seen, float(reward), *ends) for seen, reward, *ends, _ in map(self.env.step, actions)]


def divisor(lanes: int, steps: int) -> int:
    """Return the largest number up to ``lanes`` that divides an episode of ``steps`` without a rest."""
    return max(count for count in range(1, min(lanes, steps) + 1) if steps % count == 0)
