"""The methods and their settings; each is an agent too."""

import abc
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from schedcp_gym.baselines.agent import Agent, Assignment
from schedcp_gym.baselines.rllib.lanes import Halted, Lanes, divisor
from schedcp_gym.baselines.rllib.numbers import as_numbers
from schedcp_gym.baselines.rllib.packages import NEEDED, require
from schedcp_gym.envs.base import SchedEnv

if TYPE_CHECKING:
    from gymnasium.vector import VectorEnv

    from schedcp_gym.baselines.rllib.learner import Learning

Rate = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Layers = Annotated[Sequence[Annotated[int, Field(ge=1)]], Field(min_length=1)]
Activation = Literal["tanh", "relu", "silu", "elu"]
STRICT = ConfigDict(extra="forbid")


class Method(Agent, abc.ABC):
    """A method of reinforcement learning: as an agent it learns within a run, from nothing.

    All it does follows from seed and results, so a run that was killed goes on by doing it again with the
    measurements of its record; there is no checkpoint that could be older than the record.
    """

    action: ClassVar[str] = "TuneFlat"
    packages: ClassVar[tuple[str, ...]] = tuple(NEEDED)
    #: Episodes side by side.
    lanes: int
    #: Neurons of each hidden layer.
    hidden: Layers
    #: Between layers.
    activation: Activation

    @abc.abstractmethod
    def learning(self, vector: "VectorEnv[Any, Any, Any]", seed: int) -> "Learning[Any]":
        """Begins to learn on a vector of environments. Needs the extra ``rl``."""

    def run(self, given: Assignment) -> None:
        """Learns until the budget is spent.

        Raises:
            MissingTool: The extra ``rl`` is not installed.
        """
        require()
        task = given.env.unwrapped
        assert isinstance(task, SchedEnv)
        lanes = Lanes(as_numbers(given.env), divisor(self.lanes, task.max_steps))
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

    A Gaussian over all of the flat environment's numbers is moved towards what earned more than was expected. Steps
    don't influence each other, so by default nothing is discounted into the future: a contextual bandit.
    ``configs/agent/ppo.yaml`` explains the settings.
    """

    lanes: Count = 4
    batch: Count = 12
    minibatch: Count = 12
    epochs: Count = 8
    lr: Rate = 0.003
    gamma: Share = 0.0
    gae_lambda: Share = 0.95
    clip: Rate = 0.2
    scatter: Annotated[float, Field(gt=0)] = 0.6
    entropy: Annotated[float, Field(ge=0)] = 0.0
    value_weight: Annotated[float, Field(ge=0)] = 0.5
    value_clip: Annotated[float, Field(gt=0)] = 10.0
    grad_clip: Annotated[float, Field(gt=0)] = 0.5
    hidden: Layers = (64, 64)
    activation: Activation = "tanh"

    def learning(self, vector: "VectorEnv[Any, Any, Any]", seed: int) -> "Learning[Any]":
        """Begins to learn on a vector of environments. Needs the extra ``rl``."""
        from schedcp_gym.baselines.rllib.learner import PpoLearning

        return PpoLearning(self, vector, seed)


@dataclass(frozen=True, config=STRICT)
class Sac(Method):
    """Soft actor-critic (Haarnoja et al. 2018), as RLlib has it: off-policy, it learns from every step many times.

    By default nothing is discounted into the future, as with PPO: the critics learn the reward of an action itself.
    ``configs/agent/sac.yaml`` explains the settings.
    """

    lanes: Count = 4
    warm_up: Annotated[int, Field(ge=0)] = 12
    batch: Count = 64
    updates: Annotated[float, Field(gt=0)] = 4.0
    capacity: Count = 100_000
    actor_lr: Rate = 0.001
    critic_lr: Rate = 0.001
    alpha_lr: Rate = 0.001
    initial_alpha: Annotated[float, Field(gt=0)] = 0.05
    target_entropy: float | None = None
    tau: Annotated[float, Field(gt=0, le=1)] = 0.005
    gamma: Share = 0.0
    grad_clip: Annotated[float, Field(gt=0)] = 10.0
    hidden: Layers = (64, 64)
    activation: Activation = "relu"

    def learning(self, vector: "VectorEnv[Any, Any, Any]", seed: int) -> "Learning[Any]":
        """Begins to learn on a vector of environments. Needs the extra ``rl``."""
        from schedcp_gym.baselines.rllib.learner import SacLearning

        return SacLearning(self, vector, seed)
