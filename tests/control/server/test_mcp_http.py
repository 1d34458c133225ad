"""Streamable HTTP: who is let in, sessions, and the command that serves it; stdio's own frames."""

import asyncio
import json
import os
import random
import re
import signal
import string
import subprocess
import sys
import threading

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from schedcp_gym.control.server import serving
from schedcp_gym.control.server.tools import all_tools
from schedcp_gym.spec import BadInput

from .conftest import text_of

TOKEN = "a-token-for-the-tests-0123456789"
LASTS_AT_MOST_S = 900


class Process:
    """``schedcp-gym mcp`` in a process of its own."""

    def __init__(self, folder, *arguments, **environment):
        self.audit = folder / "audit.jsonl"
        words = ["mcp", "--audit", self.audit, "--repository", folder / "repository", *arguments]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "schedcp_gym.cli", *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        self.timer = threading.Timer(LASTS_AT_MOST_S, self.process.kill)
        self.timer.start()

    def stop(self, number=signal.SIGTERM):
        """Ends it, and returns its status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.timer.cancel()
        status = self.process.wait(30)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()
        return status

    def entries(self):
        """The lines of the audit log."""
        return [json.loads(line) for line in self.audit.read_text().splitlines()]


@pytest.fixture(scope="module")
def http(tmp_path_factory):
    """A server over HTTP, with the token of the tests: (process, url)."""
    made = Process(tmp_path_factory.mktemp("http"), "--http", "127.0.0.1:0", SCHEDCP_MCP_TOKEN=TOKEN)
    url = made.process.stderr.readline().split()[-1]
    assert made.process.stderr.readline() == "token: the one in $SCHEDCP_MCP_TOKEN\n"
    yield made, url
    assert made.stop() in (0, -signal.SIGTERM, 128 + signal.SIGTERM)


def client(url, mode="auto", token=TOKEN):
    headers = {"authorization": f"Bearer {token}"} if token else {}
    transport = streamable_http_client(url, http_client=httpx2.AsyncClient(headers=headers, timeout=60))
    return Client(transport, mode=mode)


def post(url, body, **headers):
    kept = {"accept": "application/json, text/event-stream", "content-type": "application/json", **headers}
    content = body if isinstance(body, (bytes, str)) else json.dumps(body)
    return httpx2.post(url, content=content, headers=kept, timeout=60)


INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": TOKEN},
        {"authorization": "Bearer"},
        {"cookie": f"token={TOKEN}"},
    ],
)
def test_without_the_token_there_is_401_and_nothing_else(http, headers):
    _, url = http
    for method in ("POST", "GET", "DELETE"):
        found = httpx2.request(method, url, content=json.dumps(INITIALIZE), headers=headers, timeout=60)
        assert found.status_code == 401
        assert found.headers["www-authenticate"].startswith("Bearer")
        assert TOKEN not in found.text
    assert post(f"{url}?token={TOKEN}", INITIALIZE).status_code == 401


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_with_the_token_the_tools_are_there(http, mode):
    process, url = http

    async def work():
        async with client(url, mode) as connected:
            tools = (await connected.list_tools()).tools
            heard = []

            async def progress(done, total, message):
                heard.append((done, message))

            listed = await connected.call_tool("list_workloads", {}, progress_callback=progress)
            wrong = await connected.call_tool("describe_workload", {"workload": "x"})
            return {tool.name for tool in tools}, listed, wrong

    names, listed, wrong = asyncio.run(work())
    assert names == set(all_tools())
    assert "schbench" in text_of(listed)
    assert wrong.is_error
    assert process.entries()[-1]["outcome"] == "error"
    assert TOKEN not in process.audit.read_text()


def test_another_host_name_is_refused(http):
    """A web page that has its own name resolved to this host must not get in (DNS rebinding)."""
    _, url = http
    headers = {"authorization": f"Bearer {TOKEN}"}
    assert post(url, INITIALIZE, **headers, host="evil.example").status_code == 421
    assert post(url, INITIALIZE, **headers, origin="http://evil.example").status_code == 403


def test_sessions_over_http_are_told_apart(http):
    process, url = http

    async def work():
        async with client(url, "legacy") as one, client(url, "legacy") as two:
            for each in (one, two, one):
                await each.call_tool("deployment_status", {"deployment": "deployment-1"})

    before = len(process.entries())
    asyncio.run(work())
    calls = [entry["session"] for entry in process.entries()[before:] if entry["tool"] == "deployment_status"]
    assert calls[0] == calls[2] != calls[1]


def test_a_session_that_is_forged_is_none(http):
    _, url = http
    headers = {"authorization": f"Bearer {TOKEN}", "mcp-session-id": "0" * 32}
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    assert post(url, call, **headers).status_code == 404


def test_malformed_requests_over_http_are_survived(http):
    process, url = http
    headers = {"authorization": f"Bearer {TOKEN}"}
    draw = random.Random(5)
    session = {**headers, "mcp-session-id": post(url, INITIALIZE, **headers).headers["mcp-session-id"]}
    before = len(process.entries())
    for body in [*frames(draw, 24), *calls(draw, 30), b"\xff\xfe", "[]", "null", "[" * 5000, "1" * 5000]:
        found = post(url, body, **session)
        assert found.status_code in range(200, 500), (body[:200], found.status_code)
    assert len([entry for entry in process.entries()[before:] if entry["method"] == "tools/call"]) >= 30
    assert post(url, "x" * (serving.BODY_BYTES + 1), **headers).status_code == 413
    assert post(url, INITIALIZE, **headers).status_code == 200


KNOWN = (
    *("tools/list", "resources/read", "resources/subscribe", "prompts/get", "initialize", "subscriptions/listen"),
    *("completion/complete", "notifications/cancelled", "logging/setLevel", "server/discover"),
)


def text(draw, most=30):
    return "".join(draw.choices(string.printable[:94] + "äß\u2028", k=draw.randrange(most)))


def value(draw, depth=0):
    kind = draw.randrange(8 if depth < 4 else 6)
    if kind == 6:
        return [value(draw, depth + 1) for _ in range(draw.randrange(4))]
    if kind == 7:
        return {text(draw, 12): value(draw, depth + 1) for _ in range(draw.randrange(4))}
    plain = (None, True, draw.randrange(-(10**20), 10**20), draw.random() * 1e308)
    return text(draw, 4000 if kind == 5 else 30) if kind >= 4 else plain[kind]


def frames(draw, count):
    """Random frames: no JSON, no JSON-RPC, or a method's with any parameters."""
    for number in range(count):
        if number % 4 == 0:
            yield text(draw, 200).replace("\n", " ")
        elif number % 4 == 1:
            yield json.dumps(value(draw))
        elif number % 4 == 2:
            frame = {"jsonrpc": draw.choice(["2.0", "1.0", 2]), "id": value(draw, 3), "method": value(draw, 3)}
            frame["params"] = value(draw)
            yield json.dumps({key: frame[key] for key in frame if draw.random() < 0.8})
        else:
            frame = {"jsonrpc": "2.0", "id": f"frame-{number}", "method": draw.choice(KNOWN), "params": value(draw)}
            yield json.dumps(frame)


def calls(draw, count):
    """Random calls of the tools, each wrong in some way: one that happened to be right could boot a guest."""
    for number in range(count):
        tool = all_tools()[draw.choice(list(all_tools()))]
        names = [*tool.schema["properties"], "extra"]
        arguments = {name: value(draw) for name in names if draw.random() < 0.7}
        arguments["extra" if draw.random() < 0.5 else names[0]] = draw.choice([[], {}, 10**30, None])
        parameters = {"name": tool.name, "arguments": draw.choice([arguments, arguments, arguments, value(draw)])}
        if draw.random() < 0.1:
            parameters["name"] = value(draw)
        if draw.random() < 0.3:
            parameters["_meta"] = draw.choice([{}, {"progressToken": number}, value(draw)])
        yield json.dumps({"jsonrpc": "2.0", "id": f"call-{number}", "method": "tools/call", "params": parameters})


def test_two_hundred_malformed_calls_over_stdio_are_survived(tmp_path):
    served = Process(tmp_path)
    stdin, stdout = served.process.stdin, served.process.stdout
    answers = []

    def ask(frame):
        stdin.write(frame if isinstance(frame, str) else json.dumps(frame))
        stdin.write("\n")
        stdin.flush()

    def read_until(key):
        while True:
            line = stdout.readline()
            assert line, "the server has ended"
            answer = json.loads(line)
            answers.append(answer)
            if answer.get("id") == key:
                return answer

    ask({**INITIALIZE, "id": "first"})
    assert "result" in read_until("first")
    ask({"jsonrpc": "2.0", "method": "notifications/initialized"})
    draw = random.Random(20261125)
    both = [*calls(draw, 200), *frames(draw, 60)]
    draw.shuffle(both)
    for number, frame in enumerate(both):
        ask(frame)
        if number % 20 == 19:
            key = f"check-{number}"
            ask({"jsonrpc": "2.0", "id": key, "method": "ping"})
            assert read_until(key)["result"] == {}
    ask({"jsonrpc": "2.0", "id": "last", "method": "tools/call", "params": {"name": "list_workloads", "arguments": {}}})
    last = read_until("last")
    assert "schbench" in last["result"]["content"][0]["text"]
    answered = {str(answer.get("id")): answer for answer in answers}
    for number in range(200):
        answer = answered[f"call-{number}"]
        fine = "error" not in answer and not answer["result"]["isError"]
        assert not fine or answer["result"]["structuredContent"].get("guest_s") is None, answer
    assert sum("error" in answer or answer.get("result", {}).get("isError", False) for answer in answers) > 180
    stdin.close()
    assert served.process.wait(60) == 0
    served.timer.cancel()
    errors = served.process.stderr.read()
    assert "Traceback" not in errors, errors[-3000:]
    outcomes = {entry["outcome"] for entry in served.entries()}
    assert outcomes == {"ok", "error", "refused"}
    stdout.close()
    served.process.stderr.close()


def test_a_signal_ends_it_while_nobody_writes(tmp_path):
    served = Process(tmp_path)
    served.process.stdin.write(json.dumps(INITIALIZE) + "\n")
    served.process.stdin.flush()
    assert "result" in json.loads(served.process.stdout.readline())
    assert served.stop(signal.SIGINT) in (0, 130)


def test_a_token_is_made_and_told_on_standard_error_only(tmp_path):
    served = Process(tmp_path, "--http", "127.0.0.1:0", SCHEDCP_MCP_TOKEN="")
    url = served.process.stderr.readline().split()[-1]
    told = re.fullmatch(r"token: (\S{40,})\n", served.process.stderr.readline())
    assert post(url, INITIALIZE).status_code == 401
    assert post(url, INITIALIZE, authorization=f"Bearer {told[1]}").status_code == 200
    assert told[1] not in served.audit.read_text()
    served.stop()


def test_what_can_not_be_served_is_said(monkeypatch, tmp_path):
    for address in ("8765", "127.0.0.1", "127.0.0.1:x", ":8765", "127.0.0.1:99999", "no.such.host.invalid:1"):
        with pytest.raises(BadInput, match=r"--http takes|can't listen"):
            serving.bind(address)
    with serving.bind("127.0.0.1:0") as taken, pytest.raises(BadInput, match="in use"):
        serving.bind(f"127.0.0.1:{taken.getsockname()[1]}")
    for weak in ("short", "with spaces in it, which no header has", "not-äscii-0123456789"):
        monkeypatch.setenv(serving.TOKEN_VARIABLE, weak)
        with pytest.raises(BadInput, match="SCHEDCP_MCP_TOKEN must have 16"):
            serving.http_token()
    assert serving.is_loopback("::1")
    assert serving.is_loopback("localhost")
    assert not serving.is_loopback("0.0.0.0")
    assert not serving.is_loopback("example.org")
