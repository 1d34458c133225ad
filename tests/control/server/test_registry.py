"""The registry of tools, called directly: what an agent in this process gets, and what is logged."""

import json
import subprocess
import sys
import threading

import pytest

from schedcp_gym.control.server.audit import AuditLog
from schedcp_gym.control.server.call import Call, Session
from schedcp_gym.control.server.deployments import Deployments
from schedcp_gym.control.server.registry import ToolRegistry
from schedcp_gym.control.server.tool import ToolFunction, tool
from schedcp_gym.control.server.tools import all_tools
from schedcp_gym.llm import ToolResult
from schedcp_gym.spec import Policy, SchedcpError

from .conftest import text_of
from .test_mcp_tools import WRONG


@pytest.fixture
def registry(plane, tmp_path):
    log = AuditLog(tmp_path / "audit.jsonl")
    yield ToolRegistry(plane, log)
    log.close()


def entries(tmp_path):
    return [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]


@pytest.fixture
def own_tool(monkeypatch):
    """Adds a tool of the test's own."""

    def add(function):
        made = tool()(function)
        monkeypatch.setitem(all_tools(), made.name, made)
        return made

    return add


CALLS = [
    ("describe_workload", {"workload": "redis"}),
    ("search_repository", {"query": "keep one long job from finishing last"}),
    ("get_policy", {"policy": "ljf"}),
    *[row[:2] for row in WRONG if row[2] is not None],
]


def test_a_direct_call_and_one_over_mcp_have_the_same_result(registry, served):
    """Also where arguments are wrong; only clients outside get the host seconds of a call."""

    async def work(client):
        return [await client.call_tool(name, arguments) for name, arguments in CALLS]

    for (name, arguments), outside in zip(CALLS, served.do(work), strict=True):
        direct = registry.call(name, arguments)
        assert direct.text == text_of(outside), name
        assert direct.is_error == outside.is_error
        assert outside.structured_content.pop("host_s") >= 0
        assert json.loads(json.dumps(dict(direct.data))) == outside.structured_content


def test_a_direct_call_is_logged_with_its_session_and_its_end(registry, tmp_path):
    registry.call("describe_workload", {"workload": "redis"}, Session("mine"))
    registry.call("describe_workload", {"workload": "nothing"})
    registry.call("nothing", {"token": "scp1.abcdefghijklmnop"})
    logged = entries(tmp_path)
    assert [(one["session"], one["tool"], one["outcome"]) for one in logged] == [
        ("mine", "describe_workload", "ok"),
        ("local", "describe_workload", "error"),
        ("local", "nothing", "error"),
    ]
    assert "unknown workload" in json.dumps(logged[1]["message"])
    assert "abcdefghijklmnop" not in json.dumps(logged)


def test_a_tool_runs_in_the_callers_thread_and_reports_its_steps(registry, own_tool, plane):
    def count_down(call: Call, number: int) -> ToolResult:
        """Counts."""
        for left in range(number):
            call.step("counting", left, number)
        return ToolResult({"thread": threading.get_ident(), "guest_s": 0.5}, "done")

    assert isinstance(own_tool(count_down), ToolFunction)
    told = []
    result = registry.call("count_down", {"number": 2}, told=lambda call: told.append(call.progress))
    assert result.data == {"thread": threading.get_ident(), "guest_s": 0.5}
    assert told == ["counting (0 of 2 done)", "counting (1 of 2 done)"]


def test_a_mistake_in_a_tool_is_a_result_and_an_interruption_is_not(registry, own_tool, tmp_path):
    def fail(call: Call, how: str) -> ToolResult:
        """Fails."""
        raise {"mistake": ZeroDivisionError, "host": SchedcpError, "interrupt": KeyboardInterrupt}[how]("why")

    own_tool(fail)
    mistake = registry.call("fail", {"how": "mistake"})
    assert mistake.is_error
    assert "internal error in fail (ZeroDivisionError)" in mistake.text
    assert registry.call("fail", {"how": "host"}) == ToolResult(text="why", is_error=True)
    with pytest.raises(KeyboardInterrupt):
        registry.call("fail", {"how": "interrupt"})
    assert [one["outcome"] for one in entries(tmp_path)] == ["error", "error", "crashed"]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("describe_workload", {"workload": "\ud800"}),
        ("search_repository", {"query": "\ud800"}),
        ("submit_policy", {"source": "\ud800"}),
        ("\ud800", {}),
        ("describe_workload", {"\ud800": 1}),
        ("measure_policy", {"workload": "schbench", "policy": "vtime", "tunables": {"slice_us": float("nan")}}),
        ("search_repository", {"query": "x", "limit": float("nan")}),
    ],
)
def test_what_is_no_text_or_no_number_is_an_error(registry, name, arguments):
    assert registry.call(name, arguments).is_error


def test_a_deployment_that_is_waited_for_runs_in_the_callers_thread(plane):
    seen = []

    def deploy(lab):
        seen.append(threading.get_ident())
        raise SchedcpError("no")

    done = Deployments().start("s", "redis", Policy("p", "int x;"), plane.branch(), deploy, wait=True)
    assert done.over.is_set()
    assert (done.state, done.message, seen) == ("failed", "no", [threading.get_ident()])


def test_the_registry_needs_neither_mcp_nor_an_event_loop():
    code = (
        "import sys; from schedcp_gym.control.server.registry import ToolRegistry;"
        "from schedcp_gym.control.server.tools import all_tools; all_tools();"
        "print([name for name in ('mcp', 'mcp_types', 'anyio', 'uvicorn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
