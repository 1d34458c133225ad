"""The MCP server of a control plane: the tool registry, resources and prompts on the SDK's low-level server."""

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
from schedcp_gym.control.server.audit import AuditLog
from schedcp_gym.control.server.call import Call, Session
from schedcp_gym.control.server.plane import ControlPlane
from schedcp_gym.control.server.registry import ERROR_CHARS, ToolRegistry
from schedcp_gym.control.server.subscriptions import Subscribers, WatchBus
from schedcp_gym.control.server.tool import ToolFunction
from schedcp_gym.control.server.tools import all_tools
from schedcp_gym.spec import BadInput, SchedcpError

log = logging.getLogger(__name__)

T = TypeVar("T")

NAME = "schedcp-gym"
#: Host seconds between two reports of progress.
HEARTBEAT_S = 2.0
#: Limit of simultaneous calls of tools that start no virtual machine.
QUICK_AT_ONCE = 16

Context = ServerRequestContext[Session, Any]


def build_server(plane: ControlPlane, audit: AuditLog | None = None) -> Server[Session]:
    """Return the server of a plane. It works with every transport of the SDK, and with several clients at once.

    Args:
        plane: The plane. Close it when the server has ended.
        audit: The log of all requests; None: no log.
    """
    return _Handlers(ToolRegistry(plane, audit)).server()


class _Handlers:
    """The handlers of all kinds of requests."""

    def __init__(self, registry: ToolRegistry) -> None:
        self.registry = registry
        self.plane = plane = registry.plane
        self.audit = registry.audit
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
        """Open the session of a connection; over HTTP, of the whole life of the server."""
        session = Session(secrets.token_hex(4))
        try:
            yield session
        finally:
            self.plane.deployments.stop_session(session.id)
            self.subscribers.forget(session.id)

    @staticmethod
    def session_of(context: Context) -> Session:
        """Return the caller of a request: the connection, or over HTTP the transport's session id, if there is one."""
        request = context.request
        if request is None:
            return context.lifespan_context
        identity = request.headers.get("mcp-session-id")
        if identity and context.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            return Session(_short_digest(identity))
        return Session("http", own=False)

    async def audited(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        """Write each request and its outcome to the audit log, except notifications and pings."""
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
        """Run a tool in a thread, report its progress, and stop its virtual machines when the client cancels it."""
        began = time.monotonic()
        loop, told = asyncio.get_running_loop(), asyncio.Event()
        call = self.registry.begin(self.session_of(context), lambda _call: _quietly(loop, told.set))
        work = functools.partial(self.registry.run, call, parameters.name, parameters.arguments or {})
        async with anyio.create_task_group() as group:
            group.start_soon(self._report, context, call, told)
            try:
                limiter = self._limiter(parameters.name)
                result = await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=limiter)
            except anyio.get_cancelled_exc_class():
                call.cancel()
                raise
            group.cancel_scope.cancel()
        costs: dict[str, Any] = {"host_s": round(time.monotonic() - began, 3)}
        if "guest_s" in result.data:
            costs["cached"] = result.cached
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=result.text)],
            structured_content={**result.data, **costs},
            is_error=result.is_error,
        )

    def _limiter(self, name: str) -> anyio.CapacityLimiter:
        boots = name in all_tools() and all_tools()[name].boots
        if boots not in self._limiters:
            self._limiters[boots] = anyio.CapacityLimiter(self.plane.lab.workers if boots else QUICK_AT_ONCE)
        return self._limiters[boots]

    @staticmethod
    async def _report(context: Context, call: Call, told: asyncio.Event) -> None:
        """Report a call's progress to the client, at each step and every few seconds in between."""
        while True:
            with anyio.move_on_after(HEARTBEAT_S):
                await told.wait()
            told.clear()
            seconds = time.monotonic() - call.began
            doing = call.progress or "waiting for its turn"
            await context.session.report_progress(round(seconds, 3), None, f"{doing}, {seconds:.0f} s")

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


def _declared(tool: ToolFunction) -> types.Tool:
    hints = types.ToolAnnotations(
        read_only_hint=not tool.changes, destructive_hint=False, idempotent_hint=not tool.changes, open_world_hint=False
    )
    return types.Tool(name=tool.name, description=tool.description, input_schema=tool.schema, annotations=hints)


async def _asked(question: Callable[[], T]) -> T:
    """Return the answer to a request that is no tool call. A wrong one is the protocol's error for bad parameters."""
    try:
        return await anyio.to_thread.run_sync(question)
    except BadInput as error:
        raise MCPError(code=types.INVALID_PARAMS, message=str(error)[:ERROR_CHARS]) from None
    except SchedcpError as error:
        raise MCPError(code=types.INTERNAL_ERROR, message=str(error)[:ERROR_CHARS]) from None


def _outcome_of(result: HandlerResult) -> tuple[str, str, float | None]:
    """Return a request's outcome, its error and its guest seconds, from the result as it is sent."""
    if not isinstance(result, dict):
        return "ok", "", None
    data = result.get("structuredContent") or {}
    if not result.get("isError"):
        return "ok", "", data.get("guest_s")
    content = result.get("content") or [{}]
    return "error", str(content[0].get("text", "")), data.get("guest_s")


def _quietly(loop: asyncio.AbstractEventLoop, done: Any) -> None:
    """Call something on the loop, unless the loop has ended."""
    if not loop.is_closed():
        try:
            loop.call_soon_threadsafe(done)
        except RuntimeError:
            log.debug("the loop has ended")


def _short_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
