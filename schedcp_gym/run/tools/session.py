"""A client of an MCP server in this process, for callers that know nothing of event loops."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from schedcp_gym.baselines.toolbox import ToolResult
from schedcp_gym.llm import Tool
from schedcp_gym.llm.chat import without_titles
from schedcp_gym.spec import SchedcpError

Tell = Callable[[str], None]


class Session:
    """The SDK's client, connected in memory, on an event loop and a thread of its own.

    It is a session like one over stdio or HTTP: the same checks of arguments, the same results. Used with ``with``.
    """

    def __init__(self, server: Any, progress: Tell) -> None:
        """Prepares a session.

        Args:
            server: The SDK's server.
            progress: Is told how far a call is, in a line.
        """
        self._server = server
        self._progress = progress
        self._loop = asyncio.new_event_loop()
        self._client: Any = None
        self._leave = asyncio.Event()
        self._ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._serve, name="schedcp-tools", daemon=True)

    def __enter__(self) -> Self:
        """Connects.

        Raises:
            SchedcpError: The server does not start.
        """
        self._thread.start()
        self._ready.result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the session; a call under way is cancelled."""
        self._loop.call_soon_threadsafe(self._leave.set)
        self._thread.join()

    def tools(self) -> list[Tool]:
        """What the server offers, in its order."""
        listed = self._on_loop(self._client.list_tools())
        return [Tool(tool.name, tool.description or "", without_titles(tool.input_schema)) for tool in listed.tools]

    def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Makes a call, and waits for its result.

        Raises:
            SchedcpError: The session has broken.
        """
        from mcp import MCPError

        async def progress(_done: float, _total: float | None, message: str | None) -> None:
            if message:
                self._progress(f"{name}: {message}")

        try:
            told = self._on_loop(self._client.call_tool(name, dict(arguments), progress_callback=progress))
        except MCPError as error:
            return ToolResult(str(error), is_error=True)
        except UnicodeEncodeError:  # half a surrogate pair: a model can write one as an escape in JSON
            return ToolResult(f"{name[:80]!r}: the arguments hold characters that are no text in UTF-8", is_error=True)
        text = "\n".join(part.text for part in told.content if part.type == "text")
        data = told.structured_content if isinstance(told.structured_content, dict) else {}
        return ToolResult(text, data, bool(told.is_error))

    def _serve(self) -> None:
        try:
            self._loop.run_until_complete(self._connected())
        except BaseException as error:  # noqa: BLE001 (whoever waits for the session is told)
            if not self._ready.done():
                self._ready.set_exception(SchedcpError(f"the control plane does not start: {error}"))
        finally:
            self._loop.close()

    async def _connected(self) -> None:
        import mcp  # takes a second

        async with mcp.Client(self._server) as client:
            self._client = client
            self._ready.set_result(None)
            await self._leave.wait()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

    def _on_loop(self, coroutine: Any) -> Any:
        try:
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError:  # the loop is closed
            coroutine.close()
            raise SchedcpError("the session with the control plane has ended: start the run again") from None
        try:
            return future.result()
        finally:
            future.cancel()  # interrupted here: the server is told to break off
