"""Training on any registered environment, outside of a run: on tables of measurements, thousands of steps a minute."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import SyncVectorEnv
from omegaconf import OmegaConf
from pydantic import ValidationError

from schedcp_gym.baselines.discovery import FOLDER as AGENTS
from schedcp_gym.baselines.rllib import checkpoints
from schedcp_gym.baselines.rllib.curve import Episode
from schedcp_gym.baselines.rllib.methods import Method, Sac
from schedcp_gym.baselines.rllib.numbers import as_numbers
from schedcp_gym.baselines.rllib.packages import require
from schedcp_gym.paths import CONFIGS
from schedcp_gym.spec import BadInput
from schedcp_gym.spec.errors import first_fault

FOLDER = CONFIGS / "train"
#: Seeds in a training are derived from its own seed and a place: a number of steps, or one of these.
UNIFORM_ACTIONS, UNIFORM_EPISODES = -1, -2
#: Called with the number of steps so far, and the episodes that have ended since the last call.
Told = Callable[[int, Sequence[Episode]], None]


def method_names() -> list[str]:
    """Return the names of the methods: one ``configs/train/<name>.yaml`` each."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


@dataclasses.dataclass(frozen=True)
class Training:
    """One training: the method, the environment, and the number of steps.

    Attributes:
        method: A method's name.
        env_id: A Gymnasium id.
        env_options: Arguments of ``gymnasium.make``.
        settings: Settings of the method that replace those of ``configs/agent/`` and ``configs/train/``.
        steps: Environment steps in all.
        seed: All randomness comes from it.
        checkpoint_steps: Steps between checkpoints. At each checkpoint new episodes and new random numbers begin, so
            that a resumed training gives the same results as one that was never interrupted.

    Example:
        >>> training = Training("ppo", "SchedCP/Schbench-Table-v0", {}, {"lr": 0.001}, 6000, 1, 2000)
        >>> episodes = training.train(Path("runs/ppo"), resume=True, told=lambda steps, ended: None)
    """

    method: str
    env_id: str
    env_options: Mapping[str, Any]
    settings: Mapping[str, Any]
    steps: int
    seed: int
    checkpoint_steps: int

    def make_method(self) -> Method:
        """Return the method with its settings.

        Raises:
            BadInput: A setting does not exist, or its value is not allowed.
        """
        from hydra.utils import get_class

        files = [OmegaConf.load(folder / f"{self.method}.yaml") for folder in (AGENTS, FOLDER)]
        config: dict[str, Any] = OmegaConf.to_container(OmegaConf.merge(*files))  # type: ignore[assignment]
        kind = get_class(config.pop("_target_"))
        for name in self.settings:
            if name not in config:
                raise BadInput(f"{self.method} has no setting {name!r}; there are: {', '.join(config)}")
        try:
            return kind(**config | dict(self.settings))  # type: ignore[no-any-return]
        except ValidationError as error:
            raise BadInput(first_fault(error)) from None

    def make_env(self) -> gym.Env[Any, Any]:
        """Return the environment, with observations as learners need them.

        Raises:
            BadInput: There is no such environment, an option is wrong, or the method can't handle its actions.
        """
        import schedcp_gym.envs  # noqa: F401 (registers ours)

        try:
            made = gym.make(self.env_id, disable_env_checker=True, **self.env_options)
        except (gym.error.Error, TypeError) as error:
            hint = "`schedcp-gym list envs` names ours"
            raise BadInput(
                f"no environment {self.env_id!r} can be made: {str(error).splitlines()[0]}; {hint}"
            ) from None
        continuous = isinstance(made.action_space, spaces.Box)
        if not continuous and not isinstance(made.action_space, spaces.Discrete):
            raise BadInput(f"{self.env_id}: actions must be a Box or Discrete; of ours, those of TuneFlat are")
        if not continuous and isinstance(self.make_method(), Sac):
            raise BadInput(f"{self.env_id}: sac needs actions that are a Box; use ppo")
        return as_numbers(made)

    def train(self, folder: Path, *, resume: bool, told: Told) -> list[Episode]:
        """Train to the end and write checkpoints; return all episodes.

        Args:
            folder: For ``config.yaml``, ``episodes.csv`` and ``checkpoints/``.
            resume: Whether to resume the training in the folder, if it holds one.
            told: Called with the progress.

        Raises:
            BadInput: A name or setting is wrong, or the folder belongs to another training.
            MissingTool: The extra ``rl`` is not installed.
        """
        require()
        method = self.make_method()
        vector = SyncVectorEnv([self.make_env for _ in range(method.lanes)])
        with contextlib.closing(vector), checkpoints.claimed(folder, self._plain(method), resume=resume):
            learning = method.learning(vector, self.seed)
            episodes = checkpoints.load(folder, learning)
            told(learning.steps, episodes)
            while learning.steps < self.steps:
                until = min(self.steps, (learning.steps // self.checkpoint_steps + 1) * self.checkpoint_steps)
                learning.begin(derived_seed(self.seed, learning.steps))
                while learning.steps < until:
                    ended = learning.advance()
                    episodes += ended
                    told(learning.steps, ended)
                checkpoints.save(folder, learning, episodes)
        return episodes

    def uniform_rewards(self, episodes: int) -> Iterator[float]:
        """Yield the rewards of episodes with uniform actions: the reference that learning has to beat."""
        with contextlib.closing(self.make_env()) as env:
            env.action_space.seed(derived_seed(self.seed, UNIFORM_ACTIONS))
            for episode in range(episodes):
                env.reset(seed=derived_seed(self.seed, UNIFORM_EPISODES) if episode == 0 else None)
                total, over = 0.0, False
                while not over:
                    _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
                    total, over = total + float(reward), terminated or truncated
                yield total

    def _plain(self, method: Method) -> dict[str, Any]:
        settings = dataclasses.asdict(method)  # type: ignore[call-overload]
        settings["hidden"] = list(method.hidden)  # YAML has no tuples
        return {**vars(self), "env_options": dict(self.env_options), "settings": settings}


def derived_seed(seed: int, place: int) -> int:
    """Return a seed for a place in a training, independent of the seeds of other places."""
    return int(np.random.SeedSequence([seed, place & 0xFFFFFFFF]).generate_state(1)[0]) >> 1
