"""What every agent is."""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium as gym

from schedcp_gym.baselines.toolbox import Toolbox
from schedcp_gym.envs.wrappers import Ledger
from schedcp_gym.llm import Client

#: Writes a line of the agent's own into the run's record: JSON-able values by name.
Note = Callable[[dict[str, Any]], None]
#: Shows a line of progress: which role works, what it does.
Tell = Callable[[str], None]


def _silent(_text: str) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Assignment:
    """What an agent is given.

    Attributes:
        env: The task. It records and charges every step.
        seed: All of the agent's randomness comes from it, the first ``env.reset`` included: the same seed, the
            same run.
        ledger: What is spent and left, for planning.
        note: Adds a line to the record.
        llm: The language model, for agents that say ``uses_llm``; its budget is kept.
        tools: The control plane's tools, for agents that say ``uses_tools``.
        tell: Shows a line of progress, like ``planning: searches the repository``; it is not in the record.
    """

    env: gym.Env[Any, Any]
    seed: int
    ledger: Ledger
    note: Note
    llm: Client | None = None
    tools: Toolbox | None = None
    tell: Tell = _silent


class Agent(abc.ABC):
    """Searches for a policy on one task, with one seed, within one budget.

    A new agent is a subclass in a file of its own and a config that names it (``_target_``); the config's
    other keys are the arguments of its constructor. The class sees the environment and the tools, never the machine.
    """

    #: Kind of action: the agent gets ``SchedCP/<Workload>-<action>-v0``.
    action: ClassVar[str] = "Tune"
    #: Whether it is given a language model. What is not used is not opened.
    uses_llm: bool = False
    #: Whether it is given the control plane's tools; its actions are then sources ("Synth").
    uses_tools: bool = False
    #: Packages that it imports and that only an extra of ``pyproject.toml`` installs, by import name.
    packages: ClassVar[tuple[str, ...]] = ()

    @abc.abstractmethod
    def run(self, given: Assignment) -> None:
        """Searches until it has nothing more to try; what counts is what was measured.

        The environment, and the tools, raise :class:`~schedcp_gym.envs.wrappers.BudgetSpent` once the budget is spent;
        the model raises :class:`~schedcp_gym.llm.LlmBudgetSpent`. The agent lets them pass: that is how most runs end.
        """
