"""The client of an MCP server in this process: a real server of the SDK's, with tools of the test's own."""

import concurrent.futures
import threading
import time
from typing import Annotated

import pytest
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field

from schedcp_gym.baselines.toolbox import Toolbox
from schedcp_gym.llm import AuditedCall
from schedcp_gym.run.tools.session import Session
from schedcp_gym.spec import BadInput, SchedcpError


class Sum(BaseModel):
    """A result with structure."""

    total: int
    guest_s: float


def make_server():
    server = MCPServer("test")

    @server.tool()
    async def add(first: int, second: Annotated[int, Field(description="is added", ge=0)], context: Context) -> Sum:
        """Adds."""
        await context.report_progress(1, 2, "half-way")
        return Sum(total=first + second, guest_s=0.5)

    @server.tool()
    async def fail(title: str = "") -> str:
        """Fails."""
        raise ToolError(f"no {title}: give another")

    @server.tool()
    async def hang() -> str:
        """Never ends by itself."""
        import anyio

        try:
            await anyio.sleep_forever()
        finally:
            broken_off.set()

    broken_off = threading.Event()
    server.broken_off = broken_off
    return server


@pytest.fixture
def told():
    return []


@pytest.fixture
def session(told):
    with Session(make_server(), told.append) as opened:
        yield opened


def test_tools_are_listed_as_a_model_is_offered_them(session):
    tools = {tool.name: tool for tool in session.tools()}
    assert list(tools) == ["add", "fail", "hang"]
    assert tools["add"].description == "Adds."
    schema = tools["add"].wire()["function"]["parameters"]
    assert schema["properties"]["second"] == {"description": "is added", "minimum": 0, "type": "integer"}
    assert "title" in tools["fail"].wire()["function"]["parameters"]["properties"]


def test_a_call_has_text_data_and_progress(session, told):
    result = session.call("add", {"first": 1, "second": 2})
    assert not result.is_error
    assert result.data == {"total": 3, "guest_s": 0.5}
    assert '"total": 3' in result.text
    assert told == ["add: half-way"]


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("fail", {"title": "luck"}, "no luck: give another"),
        ("add", {"first": 1}, "second"),
        ("add", {"first": 1, "second": -1}, "second"),
        ("add", {"first": [], "second": {"a": None}}, "first"),
        ("no_such_tool", {}, "no_such_tool"),
        ("add", {"first": "\ud800", "second": 1}, ""),
        ("add", {"first": float("nan"), "second": 1}, "first"),
        ("add", {"first": 1, "second": {"\ud800": 1}}, "no text in UTF-8"),
        ("\ud800", {}, "no text in UTF-8"),
    ],
)
def test_what_goes_wrong_is_a_result(session, name, arguments, text):
    result = session.call(name, arguments)
    assert result.is_error
    assert text in result.text
    assert session.call("add", {"first": 1, "second": 1}).data["total"] == 2


def test_a_call_under_way_is_broken_off_when_the_session_ends():
    server = make_server()
    failed = []

    def use(session):
        try:
            session.call("hang", {})
        except (Exception, concurrent.futures.CancelledError) as error:  # noqa: BLE001
            failed.append(error)

    with Session(server, print) as session:
        thread = threading.Thread(target=use, args=(session,))
        thread.start()
        time.sleep(0.2)
    thread.join(10)
    assert not thread.is_alive()
    assert server.broken_off.is_set()
    assert failed


def test_a_session_that_has_ended_says_so():
    with Session(make_server(), print) as session:
        pass
    with pytest.raises(SchedcpError, match="has ended"):
        session.call("add", {"first": 1, "second": 2})


def test_a_server_that_can_not_be_used_is_told():
    with pytest.raises(SchedcpError, match="does not start"), Session(None, print):
        pass


def test_a_toolbox_offers_and_calls(session):
    class Serves:
        tools = session.tools
        call = session.call

        def prepare(self, calls):
            prepared.extend(calls)

    prepared = []
    box = Toolbox(Serves())
    assert [tool.name for tool in box.tools(["fail", "add"])] == ["fail", "add"]
    with pytest.raises(BadInput, match="no tool 'ad'; there are: add, fail, hang"):
        box.tools(["ad"])
    calls = [AuditedCall("1", "add", {"first": 1, "second": 2}), AuditedCall("2", "fail", {"title": "x"})]
    box.prepare(calls)
    assert prepared == [("add", {"first": 1, "second": 2}), ("fail", {"title": "x"})]
    assert [box.execute(call).startswith("error: ") for call in calls] == [False, True]
