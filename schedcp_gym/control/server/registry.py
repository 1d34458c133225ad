"""The registry of tools: agents in this process call it directly, the MCP server calls it for clients outside.

Both get the same tools, the same validation of arguments and the same results. No thread and no event loop stands
between an agent of ours and a tool, and the package ``mcp`` is not needed.

Schemas and dispatch are our own. ``MCPServer`` (FastMCP in mcp 1) was tried instead and is worse here: it ignores
unknown arguments (an agent that sends ``seed`` gets no error), turns strings into JSON values, reports a wrong argument
in four lines of pydantic's, and a call of it needs an event loop and one second for the import.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from schedcp_gym.control.server.audit import AuditLog
from schedcp_gym.control.server.call import Call, Session
from schedcp_gym.control.server.plane import ControlPlane
from schedcp_gym.control.server.tool import ToolFunction
from schedcp_gym.control.server.tools import all_tools
from schedcp_gym.control.server.values import plain
from schedcp_gym.lab.catalogue import unknown
from schedcp_gym.llm import Tool, ToolResult
from schedcp_gym.llm.chat import without_titles
from schedcp_gym.spec import SchedcpError

log = logging.getLogger(__name__)

#: Limit of an error's characters.
ERROR_CHARS = 1500
#: The session of callers in this process.
LOCAL = Session("local")


class ToolRegistry:
    """All tools over one control plane. Safe to share between threads.

    Args:
        plane: The state behind the tools. Close it when no call is made any more.
        audit: The log of all calls; None: no log.

    Example:
        >>> registry = ToolRegistry(ControlPlane(Lab(), repository=Repository(path)))
        >>> result = registry.call("measure_policy", {"workload": "schbench", "policy": "fifo"})
        >>> result.data["improvement"], result.text
    """

    def __init__(self, plane: ControlPlane, audit: AuditLog | None = None) -> None:
        self.plane = plane
        self.audit = audit or AuditLog()

    def tools(self) -> list[Tool]:
        """Return all tools as they are offered to a model."""
        return [Tool(each.name, each.description, without_titles(each.schema)) for each in all_tools().values()]

    def find(self, name: str) -> ToolFunction:
        """Return a tool.

        Raises:
            BadInput: There is no tool of the name.
        """
        if name not in all_tools():
            raise unknown("tool", name[:80], all_tools())
        return all_tools()[name]

    def call(
        self,
        name: str,
        arguments: Mapping[str, Any],
        session: Session = LOCAL,
        told: Callable[[Call], None] = lambda _call: None,
    ) -> ToolResult:
        """Make a call in this thread, and write it to the audit log.

        Args:
            name: The tool.
            arguments: Plain values by name.
            session: The caller.
            told: Called at each step of the call.

        Returns:
            The result; that of a wrong call has ``is_error``.
        """
        call = self.begin(session, told)
        outcome, message, guest_s = "crashed", "", None
        try:
            result = self.run(call, name, arguments)
            outcome, message = ("error", result.text) if result.is_error else ("ok", "")
            guest_s = result.data.get("guest_s")
            return result
        finally:
            self.audit.write(
                session=session.id,
                method="call",
                tool=name[:80],
                arguments=arguments,
                outcome=outcome,
                message=message,
                host_s=time.monotonic() - call.began,
                guest_s=guest_s,
            )

    def begin(self, session: Session, told: Callable[[Call], None]) -> Call:
        """Return a new call, with a branch of the lab of its own; :meth:`Call.cancel` ends it."""
        return Call(self.plane, session, self.plane.branch(), told=told)

    def run(self, call: Call, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Run a tool in this thread, without a line in the audit log.

        Raises:
            Cancelled: The call was cancelled.
        """
        try:
            tool = self.find(name)
            checked = tool.check(arguments)
            with call.ending_with_it():
                result = tool.run(call, **checked)
        except SchedcpError as error:
            call.check()
            return ToolResult(text=str(error)[:ERROR_CHARS], is_error=True)
        except Exception as error:
            log.exception("the tool %s failed", name[:80])
            text = f"internal error in {name[:80]} ({type(error).__name__}); the log has the details"
            return ToolResult(text=text, is_error=True)
        return ToolResult(plain(result.data), result.text, cached=result.cached)
