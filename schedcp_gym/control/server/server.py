"""The MCP server of a control plane, on the SDK's low-level server: what comes in is checked, told, and logged."""

import asyncio
import functools
import hashlib
import importlib.metadata
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import mcp_types as types
from mcp.server import Server
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.subscriptions import ListenHandler
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from schedcp_gym.control.server import prompts, resources
from schedcp_gym.control.server.answer import Answer
from schedcp_gym.control.server.audit import AuditLog
from schedcp_gym.control.server.call import Call, Session
from schedcp_gym.control.server.plane import ControlPlane
from schedcp_gym.control.server.subscriptions import Subscribers, WatchBus
from schedcp_gym.control.server.tool import Tool, all_tools
from schedcp_gym.lab.catalogue import unknown
from schedcp_gym.spec import BadInput, SchedcpError

log = logging.getLogger(__name__)

T = TypeVar("T")

NAME = "schedcp-gym"
#: Host seconds between two words on the progress of a call that says nothing by itself.
HEARTBEAT_S = 2.0
#: Characters of a tool's error.
ERROR_CHARS = 1500
#: Calls of tools that boot nothing, at once.
QUICK_AT_ONCE = 16

Context = ServerRequestContext[Session, Any]


def build_server(plane: ControlPlane, audit: AuditLog | None = None) -> Server[Session]:
    """The server of a plane; it speaks through any of the SDK's transports, several clients at once.

    Args:
        plane: What it serves. Close it when the server has ended.
        audit: Where each request is written; None: nowhere.
    """
    return _Handlers(plane, audit or AuditLog()).server()


class _Handlers:
    """What the server does with each kind of request."""

    def __init__(self, plane: ControlPlane, audit: AuditLog) -> None:
        self.plane = plane
        self.audit = audit
        self.bus = WatchBus(plane.watch)
        self.subscribers = Subscribers(plane)
        self._limiters: dict[bool, anyio.CapacityLimiter] = {}

    def server(self) -> Server[Session]:
        server: Server[Session] = Server(
            NAME,
            version=importlib.metadata.version("schedcp_gym"),
            title="schedcp_gym: observe and act on Linux schedulers",
            instructions=prompts.instructions(),
            lifespan=self.lifespan,
            get_tool_input_schema=lambda name: all_tools()[name].schema if name in all_tools() else None,
            on_list_tools=self.list_tools,
            on_call_tool=self.call_tool,
            on_list_resources=self.list_resources,
            on_list_resource_templates=self.list_templates,
            on_read_resource=self.read_resource,
            on_subscribe_resource=self.subscribe,
            on_unsubscribe_resource=self.unsubscribe,
            on_subscriptions_listen=ListenHandler(self.bus),
            on_list_prompts=self.list_prompts,
            on_get_prompt=self.get_prompt,
        )
        server.middleware.append(self.audited)
        return server

    # Who calls

    @asynccontextmanager
    async def lifespan(self, _: Server[Session]) -> AsyncIterator[Session]:
        """A connection, or, over HTTP, the whole of the server's life."""
        session = Session(secrets.token_hex(4))
        try:
            yield session
        finally:
            self.plane.deployments.stop_session(session.id)
            self.subscribers.forget(session.id)

    @staticmethod
    def session_of(context: Context) -> Session:
        """Whose request it is: the connection's; over HTTP that of the transport's session id, where it has them."""
        request = context.request
        if request is None:
            return context.lifespan_context
        identity = request.headers.get("mcp-session-id")
        if identity and context.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            return Session(_short_digest(identity))
        return Session("http", own=False)

    async def audited(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        """Logs each request with its end; notifications and pings are none."""
        if ctx.request_id is None or ctx.method == "ping":
            return await call_next(ctx)
        began = time.monotonic()
        outcome, message, guest_s = "crashed", "", None
        try:
            result = await call_next(ctx)
            outcome, message, guest_s = _outcome_of(result)
            return result
        except anyio.get_cancelled_exc_class():
            outcome = "cancelled"
            raise
        except (MCPError, ValidationError) as error:
            outcome, message = "refused", str(error).split("\n")[0]
            raise
        except Exception as error:
            message = type(error).__name__
            raise
        finally:
            parameters = dict(ctx.params or {})
            parameters.pop("_meta", None)
            is_tool = ctx.method == "tools/call"
            name = parameters.get("name") if is_tool else None
            self.audit.write(
                session=self.session_of(ctx).id,
                method=ctx.method[:80],
                tool=str(name)[:80] if name is not None else None,
                arguments=parameters.get("arguments") if is_tool else parameters,
                outcome=outcome,
                message=message,
                host_s=time.monotonic() - began,
                guest_s=guest_s,
            )

    # Tools

    async def list_tools(self, _: Context, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_declared(tool) for tool in all_tools().values()])

    async def call_tool(self, context: Context, parameters: types.CallToolRequestParams) -> types.CallToolResult:
        began = time.monotonic()
        try:
            if parameters.name not in all_tools():
                raise unknown("tool", parameters.name[:80], all_tools())
            tool = all_tools()[parameters.name]
            answer = await self._run(context, tool, tool.check(parameters.arguments or {}))
        except SchedcpError as error:
            return _failed(str(error), time.monotonic() - began)
        except Exception as error:
            log.exception("the tool %s failed", parameters.name[:80])
            return _failed(
                f"internal error in {parameters.name[:80]} ({type(error).__name__}); the server's log says more",
                time.monotonic() - began,
            )
        content = [types.TextContent(type="text", text=answer.text)]
        return types.CallToolResult(content=content, structured_content=answer.structured(time.monotonic() - began))

    async def _run(self, context: Context, tool: Tool, arguments: dict[str, Any]) -> Answer:
        """Runs a tool in a thread, tells of its progress, and ends its machines when the client cancels it."""
        call = Call(self.plane, self.session_of(context), self.plane.branch())
        loop, told = asyncio.get_running_loop(), asyncio.Event()
        call.told = lambda: _quietly(loop, told.set)

        def work() -> Answer | SchedcpError:
            try:
                with call.ending_with_it():
                    answer: Answer = tool.run(call, **arguments)
                return answer
            except SchedcpError as error:  # raised within a group of tasks it would come out as a group of errors
                return error

        async with anyio.create_task_group() as group:
            group.start_soon(self._report, context, call, told)
            try:
                ended = await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._limiter(tool))
            except anyio.get_cancelled_exc_class():
                call.cancel()
                raise
            group.cancel_scope.cancel()
        if isinstance(ended, SchedcpError):
            raise ended
        return ended

    def _limiter(self, tool: Tool) -> anyio.CapacityLimiter:
        if tool.boots not in self._limiters:
            self._limiters[tool.boots] = anyio.CapacityLimiter(self.plane.lab.workers if tool.boots else QUICK_AT_ONCE)
        return self._limiters[tool.boots]

    @staticmethod
    async def _report(context: Context, call: Call, told: asyncio.Event) -> None:
        """Tells the client how far a call is: at each step, and now and then in between."""
        while True:
            with anyio.move_on_after(HEARTBEAT_S):
                await told.wait()
            told.clear()
            seconds = time.monotonic() - call.began
            doing = call.doing or "waiting for its turn"
            share = f" ({call.done} of {call.steps} done)" if call.steps else ""
            await context.session.report_progress(round(seconds, 3), None, f"{doing}{share}, {seconds:.0f} s")

    # Resources

    async def list_resources(
        self, _: Context, parameters: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        cursor = parameters.cursor if parameters else None
        return await _asked(functools.partial(resources.listed, self.plane, cursor))

    async def list_templates(
        self, _: Context, __: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult(resource_templates=resources.templates())

    async def read_resource(self, _: Context, parameters: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        read = functools.partial(resources.read, self.plane, str(parameters.uri))
        return await _asked(read)

    async def subscribe(self, context: Context, parameters: types.SubscribeRequestParams) -> types.EmptyResult:
        workload = await _asked(functools.partial(resources.watched, self.plane, str(parameters.uri)))
        self.subscribers.add(self.session_of(context).id, workload, context.session)
        return types.EmptyResult()

    async def unsubscribe(self, context: Context, parameters: types.UnsubscribeRequestParams) -> types.EmptyResult:
        workload = await _asked(functools.partial(resources.watched, self.plane, str(parameters.uri)))
        self.subscribers.remove(self.session_of(context).id, workload)
        return types.EmptyResult()

    # Prompts

    async def list_prompts(self, _: Context, __: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=[prompt.declared() for prompt in prompts.all_prompts().values()])

    async def get_prompt(self, _: Context, parameters: types.GetPromptRequestParams) -> types.GetPromptResult:
        return await _asked(functools.partial(prompts.filled, self.plane, parameters.name, parameters.arguments or {}))


def _declared(tool: Tool) -> types.Tool:
    hints = types.ToolAnnotations(
        read_only_hint=not tool.changes, destructive_hint=False, idempotent_hint=not tool.changes, open_world_hint=False
    )
    return types.Tool(name=tool.name, description=tool.description, input_schema=tool.schema, annotations=hints)


def _failed(text: str, host_s: float) -> types.CallToolResult:
    content = [types.TextContent(type="text", text=text[:ERROR_CHARS])]
    return types.CallToolResult(content=content, is_error=True, structured_content={"host_s": round(host_s, 3)})


async def _asked(question: Callable[[], T]) -> T:
    """The answer of what is no tool; what is wrong with the question is the protocol's error for bad parameters."""
    try:
        return await anyio.to_thread.run_sync(question)
    except BadInput as error:
        raise MCPError(code=types.INVALID_PARAMS, message=str(error)[:ERROR_CHARS]) from None
    except SchedcpError as error:
        raise MCPError(code=types.INTERNAL_ERROR, message=str(error)[:ERROR_CHARS]) from None


def _outcome_of(result: HandlerResult) -> tuple[str, str, float | None]:
    """How a request ended, what was wrong, and the guest seconds, from the result as it is sent."""
    if not isinstance(result, dict):
        return "ok", "", None
    data = result.get("structuredContent") or {}
    if not result.get("isError"):
        return "ok", "", data.get("guest_s")
    content = result.get("content") or [{}]
    return "error", str(content[0].get("text", "")), data.get("guest_s")


def _quietly(loop: asyncio.AbstractEventLoop, done: Any) -> None:
    """Calls something on the loop; a call that was given up has nobody left to tell."""
    if not loop.is_closed():
        try:
            loop.call_soon_threadsafe(done)
        except RuntimeError:
            log.debug("the loop has ended")


def _short_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
