"""RLlib's environment runner on a vector of environments that already exists; needs the extra ``rl``."""

from typing import Any

from gymnasium.wrappers.vector import DictInfoToList
from ray.rllib.callbacks.callbacks import RLlibCallback
from ray.rllib.env.single_agent_env_runner import SingleAgentEnvRunner

from schedcp_gym.baselines.rllib.curve import Episode


class Finished(RLlibCallback):  # type: ignore[misc]
    """Adds each episode that ends to the runner's ``finished``."""

    def on_episode_end(self, *, episode: Any, prev_episode_chunks: Any = None, env_runner: Any, **_: Any) -> None:
        """Add the episode, with the chunks of it that were returned before."""
        reward = sum(float(chunk.get_return()) for chunk in [*(prev_episode_chunks or []), episode])
        env_runner.finished.append(Episode(reward, int(episode.t)))


class Runner(SingleAgentEnvRunner):  # type: ignore[misc]
    """Samples steps from a given vector of environments, in this process.

    Attributes:
        finished: Episodes that have ended since the list was last emptied.
    """

    def __init__(self, *, config: Any, vector: Any) -> None:
        """Set up the runner on a vector of environments."""
        self._vector = vector
        self.finished: list[Episode] = []
        super().__init__(config=config, worker_index=0)

    def make_env(self) -> None:
        """Use the given vector. RLlib's own method would create one from a name."""
        self.env = DictInfoToList(self._vector)
        self.num_envs = self.env.num_envs
        self._needs_initial_reset = True

    def begin(self, seed: int) -> None:
        """Drop the episodes in progress. The next sample begins with a reset with this seed."""
        self._seed = seed
        self._needs_initial_reset = True
        self._vector.action_space.seed(seed)
