"""The base of all agents."""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium as gym

from schedcp_gym.baselines.toolbox import Toolbox
from schedcp_gym.envs.wrappers import Ledger
from schedcp_gym.llm import Client

#: Adds a line of the agent to the run's record: name → value that JSON can hold.
Note = Callable[[dict[str, Any]], None]
#: Shows a line of progress, such as ``planning: searches the repository``.
Tell = Callable[[str], None]


def _silent(_text: str) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class Assignment:
    """The inputs of an agent's run.

    Attributes:
        env: The task's environment. It records and charges every step.
        seed: Seed of all the agent's randomness, the first ``env.reset`` included. Equal seeds give equal runs.
        ledger: The spent and remaining budget, for planning.
        note: Adds a line to the record.
        llm: The language model, if ``uses_llm`` is True. It ends the run when its budget is spent.
        tools: The control plane's tools, if ``uses_tools`` is True.
        tell: Shows a line of progress, which is not in the record.
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

    A new agent is a subclass in its own file, and a file ``configs/agent/<name>.yaml`` that names it (``_target_``).
    The other keys of the file are the arguments of its constructor. An agent uses the environment and the tools, never
    the machine or the lab.

    Example:
        >>> class FifoOnly(Agent):
        ...     def run(self, given):
        ...         given.env.reset(seed=given.seed)
        ...         given.env.step(given.env.get_wrapper_attr("encode")("fifo"))
    """

    #: Kind of action: the agent's environment is ``SchedCP/<Workload>-<action>-v0``.
    action: ClassVar[str] = "Tune"
    #: Whether the agent needs a language model.
    uses_llm: bool = False
    #: Whether the agent needs the control plane's tools. Its actions are then sources ("Synth").
    uses_tools: bool = False
    #: Import names of packages that the agent needs and that only an extra of ``pyproject.toml`` installs.
    packages: ClassVar[tuple[str, ...]] = ()

    @abc.abstractmethod
    def run(self, given: Assignment) -> None:
        """Search until nothing is left to try. The result is the best of all measured policies.

        Raises:
            BudgetSpent: The environment and the tools raise it when the budget is spent. Most runs end this way; agents
                must not catch it.
            LlmBudgetSpent: The language model raises it when its budget is spent; agents must not catch it either.
        """
