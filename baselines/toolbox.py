"""The tools of the control plane, as an agent calls them."""

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from schedcp_gym.llm import Tool, ToolCall
from schedcp_gym.llm.tool_loop import plain_arguments
from schedcp_gym.spec import BadInput

#: The tool that the environment answers: a step of it.
MEASURE = "measure_policy"


@dataclass(frozen=True)
class ToolResult:
    """What a tool has answered.

    Attributes:
        text: For a model.
        data: The same for a program, plain values that JSON has words for; empty for an error.
        is_error: The arguments were wrong, or the tool could not do it; the text says why, and what to do instead.
    """

    text: str
    data: Mapping[str, Any] = field(default_factory=dict)
    is_error: bool = False


class Server(Protocol):
    """Whatever has tools and makes calls; the run has one."""

    def tools(self) -> list[Tool]:
        """What may be called."""
        ...

    def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Makes a call."""
        ...

    def prepare(self, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Is told of calls, as (name, arguments), that will be made one by one."""
        ...


class Toolbox:
    """Calls tools, one at a time.

    ``measure_policy`` is a step of the environment: it costs an evaluation of the budget and is in the run's record.
    The agent has begun an episode by then (``env.reset(seed=…)``); when one is over, the next begins by itself. What
    other tools use of the guest is charged to the budget's virtual seconds.
    """

    def __init__(self, server: Server) -> None:
        """Made by the run."""
        self._server = server
        self._lock = threading.Lock()

    def tools(self, names: Collection[str] | None = None) -> list[Tool]:
        """The tools, to be offered to a model; those of the given names, in the order given, or all.

        Raises:
            BadInput: There is no such tool.
        """
        with self._lock:
            known = {tool.name: tool for tool in self._server.tools()}
        for name in names or ():
            if name not in known:
                raise BadInput(f"there is no tool {name!r}; there are: {', '.join(sorted(known))}")
        return list(known.values()) if names is None else [known[name] for name in names]

    def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Makes a call. Wrong arguments are a result with ``is_error``, not an exception.

        Raises:
            BudgetSpent: It is; the agent lets it pass.
            SchedcpError: The host failed.
        """
        with self._lock:
            return self._server.call(name, arguments)

    def execute(self, call: ToolCall) -> str:
        """Makes a model's call, for :func:`schedcp_gym.llm.run_tools`; an error is a text that begins ``error:``.

        Raises:
            BudgetSpent: As :meth:`call`.
            SchedcpError: Likewise.
        """
        result = self.call(call.name, plain_arguments(call))
        return f"error: {result.text}" if result.is_error else result.text

    def prepare(self, calls: Sequence[ToolCall]) -> None:
        """Is told of the calls of one answer before they are made one by one: measurements among them run in parallel.

        Results are the same without it; they come later.
        """
        with self._lock:
            self._server.prepare([(call.name, plain_arguments(call)) for call in calls])


def policy_source(tools: Toolbox, policy: str, setting: str) -> str:
    """The whole source of a policy of the repository; the tool gives it page by page.

    Args:
        tools: The agent's.
        policy: Its name.
        setting: The agent's setting that names it, for the error.

    Raises:
        BadInput: There is no such policy.
    """
    pages: list[str] = []
    line: int | None = 1
    while line is not None:
        found = tools.call("get_policy", {"policy": policy, "first_line": line})
        if found.is_error:
            raise BadInput(f"{setting}: {found.text}")
        page = found.data["source"]
        pages.append(page["text"])
        line = page["next_line"]
    return "\n".join(pages)
