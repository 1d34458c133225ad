"""RLlib's environment runner on vectors of our own; needs the extra ``rl``."""

from typing import Any

from gymnasium.wrappers.vector import DictInfoToList
from ray.rllib.callbacks.callbacks import RLlibCallback
from ray.rllib.env.single_agent_env_runner import SingleAgentEnvRunner

from schedcp_gym.baselines.rllib.curve import Episode


class Finished(RLlibCallback):  # type: ignore[misc]
    """Tells a runner of each episode that has ended."""

    def on_episode_end(self, *, episode: Any, prev_episode_chunks: Any = None, env_runner: Any, **_: Any) -> None:
        """Adds the episode, with what of it was handed out before."""
        reward = sum(float(chunk.get_return()) for chunk in [*(prev_episode_chunks or []), episode])
        env_runner.finished.append(Episode(reward, int(episode.t)))


class Runner(SingleAgentEnvRunner):  # type: ignore[misc]
    """Samples from a vector of environments that it is given, in this process.

    Attributes:
        finished: Episodes that have ended since this was last emptied.
    """

    def __init__(self, *, config: Any, vector: Any) -> None:
        """Takes the vector of environments."""
        self._vector = vector
        self.finished: list[Episode] = []
        super().__init__(config=config, worker_index=0)

    def make_env(self) -> None:
        """Takes the vector that was given; RLlib would make one by name."""
        self.env = DictInfoToList(self._vector)
        self.num_envs = self.env.num_envs
        self._needs_initial_reset = True

    def begin(self, seed: int) -> None:
        """Drops the episodes under way; the next sample begins with a reset by this seed."""
        self._seed = seed
        self._needs_initial_reset = True
        self._vector.action_space.seed(seed)
