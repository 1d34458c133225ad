"""Learning in this process with RLlib's components: runner, module, connectors, learner; needs the extra ``rl``.

RLlib's own loop (``Algorithm``) starts a Ray cluster even for one process, and its checkpoints lack the replay buffer.
So the loop is here. All its parts are RLlib's.
"""

import abc
import math
import pickle
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import torch
from gymnasium import spaces
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.algorithms.sac import SACConfig
from ray.rllib.core import COMPONENT_RL_MODULE, DEFAULT_MODULE_ID
from ray.rllib.core.learner.training_data import TrainingData
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.rllib.utils.metrics import NUM_ENV_STEPS_SAMPLED_LIFETIME
from ray.rllib.utils.replay_buffers.episode_replay_buffer import EpisodeReplayBuffer

from schedcp_gym.baselines.rllib.curve import Episode
from schedcp_gym.baselines.rllib.runner import Finished, Runner

if TYPE_CHECKING:
    from gymnasium.vector import VectorEnv
    from ray.rllib.algorithms.algorithm_config import AlgorithmConfig

#: A method's settings: Ppo, Sac. Their module imports this one, so their types can't be named here.
M = TypeVar("M", bound=Any)
#: Lambda of generalised advantage estimation (Schulman et al. 2016). It matters only with a discount above 0.
GAE_LAMBDA = 0.95


class Learning(abc.ABC, Generic[M]):
    """Samples steps and learns from them, in turns.

    Attributes:
        method: The method and its settings.
        steps: Environment steps so far.
    """

    def __init__(self, method: M, config: "AlgorithmConfig", vector: "VectorEnv[Any, Any, Any]", seed: int) -> None:
        """Build the networks and the runner; nothing is sampled yet.

        Args:
            method: The settings.
            config: RLlib's configuration, with the method's own settings in it.
            vector: The environments.
            seed: All randomness comes from it, until :meth:`begin` is called with another.
        """
        self.method = method
        self.steps = 0
        config = (
            config.framework("torch")
            # RLlib requires a name. Runner.make_env uses the given vector instead.
            .environment("given", observation_space=vector.single_observation_space)
            .env_runners(num_env_runners=0, num_envs_per_env_runner=vector.num_envs)
            .learners(num_learners=0, num_gpus_per_learner=0)
            .callbacks(Finished)
            .debugging(seed=seed)
            .rl_module(
                model_config=DefaultModelConfig(
                    fcnet_hiddens=list(method.hidden), fcnet_activation=method.activation, **self.model_settings(vector)
                )
            )
        )
        self._runner = Runner(config=config, vector=vector)
        self._learner: Any = config.build_learner(spaces=self._runner.get_spaces())
        self._take_weights()
        self.begin(seed)

    def begin(self, seed: int) -> None:
        """Begin new episodes and seed all random generators. What follows depends on the seed and the weights only."""
        random.seed(seed)
        np.random.seed(seed)  # RLlib draws from the global generator
        torch.manual_seed(seed)
        self._runner.begin(seed)

    def advance(self) -> list[Episode]:
        """Sample steps and learn from them; return the episodes that have ended."""
        before = self.steps
        chunks = self._sample()
        self._runner.get_metrics()  # empties the runner's own list of episodes, which would grow without end
        self.steps += sum(len(chunk) for chunk in chunks)
        self._learn(chunks, self.steps - before)
        ended, self._runner.finished = self._runner.finished, []
        return ended

    def save(self, folder: Path) -> None:
        """Write the state of learning.

        ``folder/learner`` is a checkpoint of RLlib: ``RLModule.from_checkpoint`` of
        ``learner/rl_module/default_policy`` returns the policy alone.
        """
        self._learner.save_to_path(folder.absolute() / "learner")  # RLlib accepts absolute paths only
        (folder / "state.pickle").write_bytes(pickle.dumps({"steps": self.steps, **self._extra_state()}))

    def load(self, folder: Path) -> None:
        """Read a state that :meth:`save` has written. Call :meth:`begin` afterwards."""
        self._learner.restore_from_path(folder.absolute() / "learner")
        state = pickle.loads((folder / "state.pickle").read_bytes())
        self.steps = state.pop("steps")
        self._set_extra_state(state)
        self._take_weights()

    def model_settings(self, vector: "VectorEnv[Any, Any, Any]") -> dict[str, Any]:  # noqa: ARG002
        """Return the method's own settings of the networks."""
        return {}

    @abc.abstractmethod
    def _sample(self) -> list[Any]:
        """Sample steps, as pieces of episodes."""

    @abc.abstractmethod
    def _learn(self, chunks: list[Any], steps: int) -> None:
        """Learn from sampled steps."""

    def _extra_state(self) -> dict[str, Any]:
        """Return the state that RLlib's checkpoint of the learner lacks."""
        return {}

    def _set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore that state."""

    def _update(self, chunks: list[Any], **how: Any) -> Any:
        timesteps = {NUM_ENV_STEPS_SAMPLED_LIFETIME: self.steps}
        return self._learner.update(training_data=TrainingData(episodes=chunks), timesteps=timesteps, **how)

    def _take_weights(self) -> None:
        state = self._learner.get_state(components=COMPONENT_RL_MODULE, inference_only=True)
        self._runner.set_state({COMPONENT_RL_MODULE: state[COMPONENT_RL_MODULE]})


class PpoLearning(Learning[Any]):
    """Proximal policy optimisation (Schulman et al. 2017): several passes over each batch, then a new batch."""

    def __init__(self, method: Any, vector: "VectorEnv[Any, Any, Any]", seed: int) -> None:
        """See :class:`Learning`."""
        config = PPOConfig().training(
            gamma=method.gamma,
            lr=method.lr,
            train_batch_size_per_learner=method.batch,
            minibatch_size=min(method.minibatch, method.batch),
            num_epochs=method.epochs,
            lambda_=GAE_LAMBDA,
            clip_param=method.clip,
            entropy_coeff=method.entropy,
            vf_loss_coeff=method.value_weight,
            vf_clip_param=method.value_clip,
            use_kl_loss=False,
            grad_clip=method.grad_clip,
        )
        super().__init__(method, config, vector, seed)
        head = self._learner.module[DEFAULT_MODULE_ID].pi
        if hasattr(head, "log_std"):
            # RLlib begins with 1. A third of such numbers lies outside of [-1, 1] and would be clipped to the ends.
            torch.nn.init.constant_(head.log_std, math.log(method.initial_std))
            self._take_weights()

    def model_settings(self, vector: "VectorEnv[Any, Any, Any]") -> dict[str, Any]:
        """Separate the value network from the policy's; make the standard deviation independent of observations."""
        return {"vf_share_layers": False, "free_log_std": isinstance(vector.single_action_space, spaces.Box)}

    def _sample(self) -> list[Any]:
        chunks: list[Any] = self._runner.sample(num_timesteps=self.method.batch, explore=True)
        return chunks

    def _learn(self, chunks: list[Any], steps: int) -> None:
        method = self.method
        minibatch = min(method.minibatch, method.batch, steps)
        self._update(chunks, num_epochs=method.epochs, minibatch_size=minibatch, shuffle_batch_per_epoch=True)
        self._take_weights()


class SacLearning(Learning[Any]):
    """Soft actor-critic (Haarnoja et al. 2018): learns from all steps so far, drawn uniformly."""

    def __init__(self, method: Any, vector: "VectorEnv[Any, Any, Any]", seed: int) -> None:
        """See :class:`Learning`."""
        config = SACConfig().training(
            gamma=method.gamma,
            actor_lr=method.actor_lr,
            critic_lr=method.critic_lr,
            alpha_lr=method.alpha_lr,
            train_batch_size_per_learner=method.batch,
            initial_alpha=method.initial_alpha,
            target_entropy="auto" if method.target_entropy is None else method.target_entropy,
            tau=method.tau,
            n_step=1,
            twin_q=True,
            grad_clip=method.grad_clip,
            replay_buffer_config={"type": "EpisodeReplayBuffer", "capacity": method.capacity},
        )
        self._buffer: Any = EpisodeReplayBuffer(capacity=method.capacity, batch_size_B=method.batch)
        super().__init__(method, config, vector, seed)

    def begin(self, seed: int) -> None:
        """Begin new episodes and seed all random generators, the replay buffer's included."""
        super().begin(seed)
        self._buffer.rng = np.random.default_rng(seed)

    def _sample(self) -> list[Any]:
        # Uniform actions teach more than those of an untrained network.
        is_warm = self.steps >= self.method.warm_up
        chunks: list[Any] = self._runner.sample(
            num_timesteps=self._runner.num_envs, explore=True, random_actions=not is_warm
        )
        return chunks

    def _learn(self, chunks: list[Any], steps: int) -> None:
        for chunk in chunks:
            # SAC does not need them. RLlib could not join uniform actions, which have none, with the steps after them.
            chunk.extra_model_outputs.clear()
        self._buffer.add(chunks)
        if self.steps < self.method.warm_up:
            return
        for _ in range(round(self.method.updates * steps)):
            drawn = self._buffer.sample(
                num_items=self.method.batch, n_step=1, gamma=self.method.gamma, sample_episodes=True
            )
            self._update(drawn)
        self._take_weights()

    def _extra_state(self) -> dict[str, Any]:
        alpha = self._learner.curr_log_alpha[DEFAULT_MODULE_ID].detach().cpu().numpy()
        return {"buffer": self._buffer.get_state(), "log_alpha": alpha}

    def _set_extra_state(self, state: dict[str, Any]) -> None:
        self._buffer.set_state(state["buffer"])
        with torch.no_grad():
            self._learner.curr_log_alpha[DEFAULT_MODULE_ID].copy_(torch.from_numpy(state["log_alpha"]))
