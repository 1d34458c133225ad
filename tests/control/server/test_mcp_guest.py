"""Every tool over stdio and over HTTP on the real kernel; cancelling, progress, tokens and whose a deployment is."""

import asyncio
import datetime
import os
import sys
import time
from pathlib import Path

import anyio
import pytest
from conftest import qemus, wait_until
from mcp import Client, StdioServerParameters

from schedcp_gym.control.repository import open_library
from schedcp_gym.control.server import ControlPlane
from schedcp_gym.control.server.tools import all_tools
from schedcp_gym.control.verifier import token as tokens
from schedcp_gym.control.verifier.report import Stage
from schedcp_gym.lab import Lab, catalogue
from schedcp_gym.lab.compiler import compile_policy
from schedcp_gym.spec import MachineSpec, Scale

from .conftest import text_of
from .test_mcp_http import TOKEN, Process, client

pytestmark = pytest.mark.guest

#: Drawn for this test: other sources, so that nothing is known of it before.
SOURCE = catalogue.load_policy("fifo").source + "\n/* of the tests of the MCP server */\n"
PROBE = """
BPF_HASH(switches, u32);
TRACEPOINT_PROBE(sched, sched_switch)
{
	u32 key = 0;

	if (IN_WORKLOAD())
		switches.increment(key);
	return 0;
}
"""


async def every_tool(connected, token):
    """Calls every tool as an agent would, one after the other; gives the results by tool."""
    results, progress = {}, {}

    async def call(tool, **arguments):
        heard = progress.setdefault(tool, [])

        async def told(done, total, message):
            heard.append((done, message))

        result = results[tool] = await connected.call_tool(tool, arguments, progress_callback=told)
        assert not result.is_error, (tool, text_of(result))
        return result.structured_content

    await call("list_workloads")
    await call("describe_workload", workload="schbench")
    await call("analyze_workload", workload="schbench")
    await call("workload_changes", workload="schbench")
    await call("profile_workload", workload="schbench", profiles=["runq_latency"])
    await call("probe_workload", workload="schbench", source=PROBE)
    await call("list_workload_files", workload="schbench")
    await call("read_workload_file", workload="schbench", path="workload.yaml")
    await call("search_repository", query="first come first served")
    await call("list_policies")
    await call("get_policy", policy="fifo")
    await call("get_primitive", name="wake-graph")
    submitted = await call("submit_policy", source=SOURCE, tunables={"slice_us": 3000})
    draft = submitted["policy"]
    assert draft.startswith("draft-")
    assert submitted["passed"]
    assert submitted["token"] == ""
    measured = await call("measure_policy", workload="schbench", policy=draft, tunables={"slice_us": 3000})
    assert measured["outcome"] == "ok"
    assert measured["guest_s"] > 0.5
    await call("get_feedback", workload="schbench", policy=draft, tunables={"slice_us": 3000}, last="fifo")
    added = await call("add_policy", name="fifo-test", policy=draft, tunables={"slice_us": 3000})
    assert added["new"]
    again = await connected.call_tool("get_policy", {"policy": "fifo-test"})
    assert again.structured_content["standings"][0]["improvement"] == pytest.approx(measured["improvement"])
    await call("record_learning", title="it works", text="as measured", worked=True, policy="fifo-test")
    deployed = await call("deploy_policy", workload="schbench", policy="fifo", token=token)
    assert deployed["state"] == "running"
    await call("deployment_status", deployment=deployed["deployment"], wait_s=1)
    stopped = await call("stop_deployment", deployment=deployed["deployment"])
    assert stopped["state"] == "stopped"
    assert set(results) == set(all_tools())
    return results, progress


@pytest.fixture(scope="module")
def token(image):
    """What a policy that passed all stages is given; that they are passed is tested once, below."""
    return issue(image)


def issue(image, source=None, **more):
    compiled = compile_policy(source or catalogue.load_policy("fifo").source, image)
    claims = {"object_digest": tokens.object_digest(compiled), "image": image, "tunables": (), "stages": Stage}
    return tokens.issue(**claims, machine=MachineSpec(), **more)


def check_progress(progress):
    """Long calls told how far they were; the number grows from word to word."""
    for tool in ("probe_workload", "submit_policy", "measure_policy"):
        numbers = [done for done, _ in progress[tool]]
        assert numbers, tool
        assert numbers == sorted(numbers)
    assert any("kernel" in message for _, message in progress["submit_policy"])
    assert any("runs done" in message for _, message in progress["measure_policy"])


def test_every_tool_over_stdio(tmp_path, token):
    words = ["mcp", "--audit", tmp_path / "audit.jsonl", "--repository", tmp_path / "repository"]
    arguments = ["-m", "schedcp_gym.cli", *map(str, words)]
    server = StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))

    async def work():
        async with Client(server) as connected:
            return await every_tool(connected, token)

    results, progress = asyncio.run(work())
    check_progress(progress)
    assert results["analyze_workload"].structured_content["tokens"] < 400
    assert token not in (tmp_path / "audit.jsonl").read_text()


async def cancel_a_call(connected, server):
    """Calls what nobody has called before, and cancels it when its machine runs: the machine ends."""
    probe = {"workload": "schbench", "source": f"{PROBE}/* {time.time_ns()} */"}
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(connected.call_tool, "probe_workload", probe)
            await anyio.to_thread.run_sync(lambda: wait_until(lambda: machines(server)))
            scope.cancel()
    await anyio.to_thread.run_sync(lambda: wait_until(lambda: not machines(server), 10.0))


def test_every_tool_over_http(tmp_path, token):
    served = Process(tmp_path, "--http", "127.0.0.1:0", SCHEDCP_MCP_TOKEN=TOKEN)
    url = served.process.stderr.readline().split()[-1]

    async def work():
        async with client(url, "legacy") as one, client(url, "legacy") as other, client(url) as newest:
            results, progress = await every_tool(one, token)
            theirs = results["deploy_policy"].structured_content["deployment"]
            for stranger in (other, newest):
                for tool in ("deployment_status", "stop_deployment"):
                    refused = await stranger.call_tool(tool, {"deployment": theirs})
                    assert refused.is_error
                    assert f"this session has no deployment {theirs!r}" in text_of(refused)
            # Where the protocol has no sessions, nothing but the id tells whose a deployment is.
            mine = await newest.call_tool("deploy_policy", {"workload": "schbench", "policy": "fifo", "token": token})
            name = mine.structured_content["deployment"]
            assert len(name) > 30
            assert (await other.call_tool("stop_deployment", {"deployment": name})).is_error
            assert not (await newest.call_tool("stop_deployment", {"deployment": name})).is_error
            for each in (one, newest):
                await cancel_a_call(each, served.process.pid)
            return progress

    try:
        check_progress(asyncio.run(work()))
        cancelled = [entry for entry in served.entries() if entry["outcome"] == "cancelled"]
        assert [entry["tool"] for entry in cancelled] == ["probe_workload"] * 2
        wait_until(lambda: qemus(served.process.pid) == [], 10.0)  # a stopped machine takes a moment to end
    finally:
        served.stop()


def test_forged_expired_and_foreign_tokens_deploy_nothing(served, image, token):
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=60)
    head, claims, signature = token.split(".")
    other = issue(image, catalogue.load_policy("vtime").source)
    cases = {
        issue(image, now=past): "the token expired at",
        f"{head}.{claims}.{signature[:-4]}AAAA": "the token is forged",
        f"{head}.{claims[:-4]}AAAA.{signature}": "the token is forged",
        other: "the token is for another object",
        issue(image, lifetime=datetime.timedelta(seconds=0)): "the token expired at",
    }
    for wrong, words in cases.items():
        refused = served.call("deploy_policy", workload="schbench", policy="fifo", token=wrong)
        assert refused.is_error
        assert words in text_of(refused)
    refused = served.call("deploy_policy", workload="schbench", policy="fifo", tunables={"slice_us": 900}, token=token)
    assert "other tunables" in text_of(refused)
    assert qemus() == []


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_cancelling_ends_the_calls_machine_and_no_other(library, serve, mode):
    # A plane without the cache, and longer runs: the call is still under way when it is cancelled.
    plane = ControlPlane(Lab(workers=2, cache=False), repository=library, scale=Scale.STANDARD)
    served = serve(plane)

    async def work(connected):
        async with anyio.create_task_group() as group:
            group.start_soon(connected.call_tool, "analyze_workload", {"workload": "longtail"})
            await anyio.to_thread.run_sync(lambda: wait_until(machines))
            kept = machines()
            with anyio.CancelScope() as scope:
                group.start_soon(_cancel_soon, scope, kept)
                await connected.call_tool("measure_policy", {"workload": "schbench", "policy": "fifo"})
            assert scope.cancelled_caught
            began = time.monotonic()
            await anyio.to_thread.run_sync(lambda: wait_until(lambda: machines() == kept, 10.0))
            assert time.monotonic() - began < 5
            # The server goes on.
            assert not (await connected.call_tool("list_workloads", {})).is_error
            group.cancel_scope.cancel()
        await anyio.to_thread.run_sync(lambda: wait_until(lambda: qemus() == [], 10.0))

    served.do(work, mode)
    outcomes = [(entry["tool"], entry["outcome"]) for entry in served.entries() if entry["method"] == "tools/call"]
    assert sorted(outcomes) == [
        ("analyze_workload", "cancelled"),
        ("list_workloads", "ok"),
        ("measure_policy", "cancelled"),
    ]


def machines(below=None):
    """The machines that run: not the moments when QEMU is asked for its version."""

    def runs(pid):
        try:
            return b"-nodefaults" in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False

    return [pid for pid in qemus(below) if runs(pid)]


async def _cancel_soon(scope, kept):
    await anyio.to_thread.run_sync(lambda: wait_until(lambda: len(machines()) > len(kept)))
    scope.cancel()


def test_a_connection_that_ends_takes_its_deployments_with_it(served, token):
    async def work(connected):
        await connected.call_tool("deploy_policy", {"workload": "schbench", "policy": "fifo", "token": token})
        await anyio.to_thread.run_sync(lambda: wait_until(machines))

    served.do(work, "legacy")
    wait_until(lambda: qemus() == [], 10.0)


def test_verified_in_full_then_deployed_whole(tmp_path, serve):
    repository = open_library(tmp_path / "repository")
    options = {"deploy_scale": Scale.STANDARD, "wait_for_deployments": True}
    plane = ControlPlane(Lab(workers=2), repository=repository, **options)
    served = serve(plane)

    async def work(connected):
        await connected.call_tool("workload_changes", {"workload": "schbench"})
        verified = await connected.call_tool("submit_policy", {"policy": "fifo", "stages": "full"})
        deployed = await connected.call_tool("deploy_policy", {"workload": "schbench", "policy": "fifo"})
        return verified.structured_content, deployed.structured_content, text_of(deployed)

    verified, deployed, text = served.do(work)
    assert verified["passed"]
    assert [stage["stage"] for stage in verified["stages"]] == ["source", "kernel", "behaviour", "performance"]
    assert verified["guest_s"] > 10
    assert tokens.read(verified["token"]).stages == tuple(Stage)
    assert deployed["state"] == "kept"
    assert deployed["deployed"]
    assert deployed["in_charge"] == "fifo"
    assert deployed["guest_s"] == pytest.approx(deployed["deployed_guest_s"])
    assert deployed["guest_s"] > 5
    assert "at 100 %" in text
    assert list(plane.watch.state("schbench", catalogue.load_workload("schbench").digest).due) == ["in_charge"]
    (result,) = repository.results("fifo")
    assert (result.origin, result.reward, result.scale) == ("deployment", None, Scale.STANDARD)
