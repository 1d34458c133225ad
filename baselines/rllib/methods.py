"""The methods of reinforcement learning with their settings. Each is an agent too."""

import abc
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from schedcp_gym.baselines.agent import Agent, Assignment
from schedcp_gym.baselines.briefing import task_of
from schedcp_gym.baselines.rllib.lanes import Halted, Lanes, divisor
from schedcp_gym.baselines.rllib.numbers import as_numbers
from schedcp_gym.baselines.rllib.packages import NEEDED, require

if TYPE_CHECKING:
    from gymnasium.vector import VectorEnv

    from schedcp_gym.baselines.rllib.learner import Learning

Rate = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Layers = Annotated[Sequence[Annotated[int, Field(ge=1)]], Field(min_length=1)]
Activation = Literal["tanh", "relu", "silu", "elu"]
STRICT = ConfigDict(extra="forbid")


class Method(Agent, abc.ABC):
    """A method of reinforcement learning. As an agent it learns within one run, from nothing.

    All it does follows from the seed and the results. A run that was killed is resumed by learning again from the
    measurements in the record, so a run has no checkpoints.
    """

    action: ClassVar[str] = "TuneFlat"
    packages: ClassVar[tuple[str, ...]] = tuple(NEEDED)
    #: Episodes that are measured in parallel.
    lanes: int
    #: Neurons of each hidden layer.
    hidden: Layers
    #: Function between layers.
    activation: Activation

    @abc.abstractmethod
    def learning(self, vector: "VectorEnv[Any, Any, Any]", seed: int) -> "Learning[Any]":
        """Return what learns on a vector of environments. Needs the extra ``rl``."""

    def run(self, given: Assignment) -> None:
        """Learn until the budget is spent.

        Raises:
            MissingTool: The extra ``rl`` is not installed.
        """
        require()
        lanes = Lanes(as_numbers(given.env), divisor(self.lanes, task_of(given).max_steps))
        lanes.begin(given.seed)
        rounds = 0
        try:
            learning = self.learning(lanes, given.seed)
            while True:
                rounds += 1
                if not given.ledger.is_spent:
                    given.note({"iteration": rounds})
                    given.tell(f"learning: round {rounds}")
                learning.advance()
        except Halted as halted:
            raise halted.cause from None


@dataclass(frozen=True, config=STRICT)
class Ppo(Method):
    """Proximal policy optimisation (Schulman et al. 2017), as RLlib has it.

    A Gaussian over all numbers of the flat action moves towards actions that earned more than expected. Steps do not
    influence each other, so the default discount is 0: a contextual bandit.
    ``configs/agent/ppo.yaml`` explains the settings.
    """

    lanes: Count = 4
    batch: Count = 12
    minibatch: Count = 12
    epochs: Count = 8
    lr: Rate = 0.003
    gamma: Share = 0.0
    clip: Rate = 0.2
    initial_std: Positive = 0.6
    entropy: Weight = 0.0
    value_weight: Weight = 0.5
    value_clip: Positive = 10.0
    grad_clip: Positive = 0.5
    hidden: Layers = (64, 64)
    activation: Activation = "tanh"

    def learning(self, vector: "VectorEnv[Any, Any, Any]", seed: int) -> "Learning[Any]":
        """Return what learns on a vector of environments. Needs the extra ``rl``."""
        from schedcp_gym.baselines.rllib.learner import PpoLearning

        return PpoLearning(self, vector, seed)


@dataclass(frozen=True, config=STRICT)
class Sac(Method):
    """Soft actor-critic (Haarnoja et al. 2018), as RLlib has it. It is off-policy: it learns from each step many times.

    The default discount is 0, as with PPO, so the critics learn the reward of an action itself.
    ``configs/agent/sac.yaml`` explains the settings.
    """

    lanes: Count = 4
    warm_up: Annotated[int, Field(ge=0)] = 12
    batch: Count = 64
    updates: Positive = 4.0
    capacity: Count = 100_000
    actor_lr: Rate = 0.001
    critic_lr: Rate = 0.001
    alpha_lr: Rate = 0.001
    initial_alpha: Positive = 0.05
    target_entropy: float | None = None
    tau: Annotated[float, Field(gt=0, le=1)] = 0.005
    gamma: Share = 0.0
    grad_clip: Positive = 10.0
    hidden: Layers = (64, 64)
    activation: Activation = "relu"

    def learning(self, vector: "VectorEnv[Any, Any, Any]", seed: int) -> "Learning[Any]":
        """Return what learns on a vector of environments. Needs the extra ``rl``."""
        from schedcp_gym.baselines.rllib.learner import SacLearning

        return SacLearning(self, vector, seed)
