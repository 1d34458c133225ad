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

from schedcp_gym.baselines.rllib import checkpoints
from schedcp_gym.baselines.rllib.curve import Episode
from schedcp_gym.baselines.rllib.methods import Method, Sac
from schedcp_gym.baselines.rllib.numbers import as_numbers
from schedcp_gym.baselines.rllib.packages import require
from schedcp_gym.paths import CONFIGS
from schedcp_gym.spec import BadInput
from schedcp_gym.spec.errors import first_fault

FOLDER = CONFIGS / "train"
#: Places in a training, beside its steps, that have a seed of their own.
UNIFORM_ACTIONS, UNIFORM_EPISODES = -1, -2
#: Told of steps so far, and of the episodes that have ended.
Told = Callable[[int, Sequence[Episode]], None]


def method_names() -> list[str]:
    """What can be trained with: one ``configs/train/<name>.yaml`` each."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


@dataclasses.dataclass(frozen=True)
class Training:
    """What is trained, on what, and for how long.

    Attributes:
        method: A method's name.
        env_id: A Gymnasium id.
        env_options: Given to ``gymnasium.make``.
        settings: Settings of the method that are not those of ``configs/train/<method>.yaml``.
        steps: Environment steps in all.
        seed: All randomness comes from it.
        checkpoint_steps: Steps between checkpoints. At each one new episodes and new random numbers begin, so that a
            training that goes on from it gives what it would have given undisturbed.
    """

    method: str
    env_id: str
    env_options: Mapping[str, Any]
    settings: Mapping[str, Any]
    steps: int
    seed: int
    checkpoint_steps: int

    def make_method(self) -> Method:
        """The method with its settings.

        Raises:
            BadInput: A setting does not exist, or is not allowed.
        """
        from hydra.utils import get_class

        config: dict[str, Any] = OmegaConf.to_container(OmegaConf.load(FOLDER / f"{self.method}.yaml"))  # type: ignore[assignment]
        kind = get_class(config.pop("_target_"))
        for name in self.settings:
            if name not in config:
                raise BadInput(f"{self.method} has no setting {name!r}; there are: {', '.join(config)}")
        try:
            return kind(**config | dict(self.settings))  # type: ignore[no-any-return]
        except ValidationError as error:
            raise BadInput(first_fault(error)) from None

    def make_env(self) -> gym.Env[Any, Any]:
        """The environment, as learners want it.

        Raises:
            BadInput: There is no such environment, or an option is wrong.
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
        """Trains to the end, with a checkpoint now and then; gives all episodes.

        Args:
            folder: Takes ``config.yaml``, ``episodes.csv`` and ``checkpoints/``.
            resume: Goes on with the training that the folder holds, if it holds one.
            told: Is told of progress.

        Raises:
            BadInput: A name or setting is wrong, or the folder is another training's.
            MissingTool: The extra ``rl`` is not installed.
        """
        require()
        method = self.make_method()
        vector = SyncVectorEnv([self.make_env for _ in range(method.lanes)])
        try:
            with checkpoints.claimed(folder, self._plain(method), resume=resume):
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
        finally:
            vector.close()
        return episodes

    def uniform_rewards(self, episodes: int) -> Iterator[float]:
        """What uniform actions earn, episode by episode: the reference that learning has to beat."""
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
        settings = {name: getattr(method, name) for name in type(method).__dataclass_fields__}  # type: ignore[attr-defined]
        settings["hidden"] = list(method.hidden)
        return {
            **{field.name: getattr(self, field.name) for field in dataclasses.fields(self)},
            "env_options": dict(self.env_options),
            "settings": settings,
        }


def derived_seed(seed: int, place: int) -> int:
    """A seed for a place in a training, independent of those of others."""
    return int(np.random.SeedSequence([seed, place & 0xFFFFFFFF]).generate_state(1)[0]) >> 1
