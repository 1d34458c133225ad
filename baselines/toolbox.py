"""The tools of the control plane, as an agent calls them."""

import threading
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from schedcp_gym.llm import Tool, ToolCall, ToolResult
from schedcp_gym.llm.tool_loop import plain_arguments
from schedcp_gym.spec import BadInput

#: The tool that the environment answers: a step of it.
MEASURE = "measure_policy"


class Server(Protocol):
    """An object that has tools and makes calls, like the run's."""

    def tools(self) -> list[Tool]:
        """Return the tools that may be called."""
        ...

    def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Make a call."""
        ...

    def prepare(self, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Begin work for calls, as (name, arguments), that will be made one by one."""
        ...


class Toolbox:
    """Calls tools, one at a time.

    ``measure_policy`` is a step of the environment: it costs an evaluation of the budget and is in the run's record.
    The agent must have begun an episode before (``env.reset(seed=…)``); when an episode has ended, the next one begins
    by itself. Guest seconds of other tools are charged to the budget's virtual seconds.

    Example:
        >>> result = given.tools.call("measure_policy", {"workload": "schbench", "policy": "fifo"})
        >>> result.data["improvement"]
    """

    def __init__(self, server: Server) -> None:
        """Wrap a server; the run does it."""
        self._server = server
        self._lock = threading.Lock()

    def tools(self, names: Collection[str] | None = None) -> list[Tool]:
        """Return the tools to offer to a model: those with the given names, in the given order, or all.

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
        """Make a call. Wrong arguments lead to a result with ``is_error``, not to an exception.

        Raises:
            BudgetSpent: The budget is spent; the agent must not catch it.
            SchedcpError: The host failed.
        """
        with self._lock:
            return self._server.call(name, arguments)

    def execute(self, call: ToolCall) -> ToolResult:
        """Make a model's call, for :func:`schedcp_gym.llm.run_tools`; see :meth:`call`."""
        return self.call(call.name, plain_arguments(call))

    def prepare(self, calls: Sequence[ToolCall]) -> None:
        """Run the measurements among the calls of one answer in parallel, before the calls are made one by one.

        The results are the same without it; they only take longer.
        """
        with self._lock:
            self._server.prepare([(call.name, plain_arguments(call)) for call in calls])


def policy_source(tools: Toolbox, policy: str, setting: str) -> str:
    """Return the whole source of a policy of the repository, which the tool returns page by page.

    Args:
        tools: The agent's tools.
        policy: The policy's name.
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
