"""The audit log: every request is in it, and no secret."""

import json
import stat
import threading

import pytest

from schedcp_gym.control.server.audit import AuditLog, shortened
from schedcp_gym.spec import BadInput

TOKEN = "scp1.eyJjcHVzIjoyLCJleHBpcmVzX2F0Ijox.c2lnbmF0dXJlLXRoYXQtaXMtbG9uZw"


def test_every_request_is_in_the_log_with_its_end(served):
    async def work(client):
        await client.call_tool("describe_workload", {"workload": "schbench"})
        await client.call_tool("describe_workload", {"workload": "nothing"})
        await client.call_tool("nothing", {})
        await client.read_resource("schedcp://policies/fifo")
        with pytest.raises(Exception, match="no resource"):
            await client.read_resource("schedcp://nothing/fifo")
        await client.get_prompt("optimise_workload", {"workload": "redis"})

    served.do(work, "legacy")
    entries = served.entries()
    assert [(entry["method"], entry["tool"], entry["outcome"]) for entry in entries] == [
        ("initialize", None, "ok"),
        ("tools/call", "describe_workload", "ok"),
        ("tools/list", None, "ok"),
        ("tools/call", "describe_workload", "error"),
        ("tools/call", "nothing", "error"),
        ("resources/read", None, "ok"),
        ("resources/read", None, "refused"),
        ("prompts/get", None, "ok"),
    ]
    assert len({entry["session"] for entry in entries}) == 1
    assert entries[3]["message"] == served.entries()[3]["message"] != ""
    assert set(entries[1]) == {
        *("time", "session", "method", "tool", "arguments", "outcome", "message", "host_s", "guest_s")
    }
    assert entries[1]["arguments"] == {"workload": "schbench"}
    assert entries[1]["time"].endswith("+00:00")


def test_sessions_are_told_apart(served):
    for _ in range(2):
        served.call("list_workloads")
    assert len({entry["session"] for entry in served.entries()}) == 2


def test_tokens_and_long_texts_are_shortened(served):
    source = "int x;\n" * 1000
    served.call("deploy_policy", workload="schbench", source=source, token=TOKEN)
    text = served.path.read_text()
    assert TOKEN not in text
    assert TOKEN[:12] in text
    assert source not in text
    (entry,) = [entry for entry in served.entries() if entry["tool"] == "deploy_policy"]
    assert entry["arguments"]["source"]["characters"] == len(source)
    assert len(entry["arguments"]["source"]["sha256"]) == 64


def test_secrets_are_masked(monkeypatch):
    monkeypatch.setenv("SCHEDCP_MCP_TOKEN", "a-token-of-the-server-0123")
    found = json.dumps(
        shortened(
            {
                "query": f"why is {TOKEN} refused, and a-token-of-the-server-0123?",
                "token": "short-secret",
                "nested": [{"api_key": "sk-abcdef0123456789"}],
                "policy": "fifo",
            }
        )
    )
    for secret in (TOKEN, "a-token-of-the-server-0123", "short-secret", "sk-abcdef0123456789"):
        assert secret not in found
    assert '"policy": "fifo"' in found


def test_any_arguments_can_be_written(tmp_path):
    log = AuditLog(tmp_path / "log")
    deep = here = {}
    for _ in range(500):
        here["x"] = here = {}
    for arguments in (deep, [1] * 10_000, "\ud800", None, float("nan"), {"a" * 10_000: 1}, {"n": 10**400}):
        log.write(session="s", method="m", tool=None, arguments=arguments, outcome="ok", host_s=0.0)
    log.close()
    lines = (tmp_path / "log").read_text().splitlines()
    assert len(lines) == 7
    assert all(len(line) < 20_000 for line in lines)
    assert all(json.loads(line)["session"] == "s" for line in lines)


def test_lines_of_several_threads_do_not_mix(tmp_path):
    log = AuditLog(tmp_path / "log")

    def write(name):
        for _ in range(100):
            log.write(session=name, method="m", tool="t", arguments={"x": name * 50}, outcome="ok", host_s=0.0)

    threads = [threading.Thread(target=write, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert len([json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]) == 400


def test_the_file_is_its_owners_and_is_gone_on_with(tmp_path):
    path = tmp_path / "log"
    for _ in range(2):
        log = AuditLog(path)
        log.write(session="s", method="m", tool=None, arguments={}, outcome="ok", host_s=0.0)
        log.close()
    assert len(path.read_text().splitlines()) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(BadInput, match="can't be written"):
        AuditLog(tmp_path / "no-folder" / "log")
