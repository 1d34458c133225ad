"""What every agent is."""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium as gym

from schedcp_gym.envs.wrappers import Ledger

#: Writes a line of the agent's own into the run's record: JSON-able values by name.
Note = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Assignment:
    """What an agent is given.

    Attributes:
        env: The task. It records and charges every step.
        seed: All of the agent's randomness comes from it, the first ``env.reset`` included: the same seed, the
            same run.
        ledger: What is spent and left, for planning.
        note: Adds a line to the record.
    """

    env: gym.Env[Any, Any]
    seed: int
    ledger: Ledger
    note: Note


class Agent(abc.ABC):
    """Searches for a policy on one task, with one seed, within one budget.

    A new agent is a subclass in a file of its own and a config that names it (``_target_``); the config's
    other keys are the arguments of its constructor. The class sees the environment, never the machine.
    """

    #: Kind of action: the agent gets ``SchedCP/<Workload>-<action>-v0``.
    action: ClassVar[str] = "Tune"

    @abc.abstractmethod
    def run(self, given: Assignment) -> None:
        """Searches until it has nothing more to try; what counts is what was measured.

        The environment raises :class:`~schedcp_gym.envs.wrappers.BudgetSpent` once the budget is spent. The agent
        lets it pass: that is how most runs end.
        """
