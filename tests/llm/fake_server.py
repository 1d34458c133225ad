"""A real HTTP server that speaks OpenAI's chat protocol and does what a test has scripted, also the bad things."""

import contextlib
import json
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from schedcp_gym.llm import LlmConfig

#: The one model that the server has.
MODEL = "small-1"


@dataclass
class Turn:
    """What the server does with one request."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0  # before the first byte
    drip_s: float = 0.0  # a blank line each so often, without end: the keep-alive of slow servers
    cut: bool = False  # the connection is reset in the middle of the body


@dataclass
class Seen:
    """A request as it arrived."""

    at: float
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


def answer(text=None, *, calls=(), finish=None, usage=(20, 5), **message):
    """A good response: text, or tool calls as (name, arguments as text)."""
    tool_calls = [
        {"id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for index, (name, arguments) in enumerate(calls)
    ]
    told = {"role": "assistant", "content": text, **message} | ({"tool_calls": tool_calls} if calls else {})
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [{"index": 0, "message": told, "finish_reason": finish or ("tool_calls" if calls else "stop")}],
    }
    if usage:
        body["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
    return Turn(body)


def error(status, message, code=None, headers=None):
    """An error as OpenAI words it."""
    return Turn({"error": {"message": message, "type": "error", "param": None, "code": code}}, status, headers or {})


def config_of(server, **more):
    """How the server is asked, with waits of hundredths of a second."""
    quick = {"timeout_s": 60.0, "retries": 2, "backoff_s": 0.02, "seed": 7, "max_tokens": 1000}
    return LlmConfig(**{"model": f"openai/{MODEL}", "api_base": server.url, **quick, **more})


class FakeServer:
    """Answers request after request out of ``turns``; what arrived is in ``seen``.

    A key that is asked for must be in the Authorization header; a model other than ``MODEL`` is unknown.
    """

    def __init__(self, *turns, key=None):
        self.turns = list(turns)
        self.key = key
        self.seen: list[Seen] = []
        self.ended = threading.Event()
        self._arrived = threading.Condition()
        handler = type("Handler", (_Handler,), {"fake": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = False
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def close(self):
        self.ended.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def reached(self, requests, limit_s=300.0):
        """Waits until so many requests have arrived; whether they did in time."""
        with self._arrived:
            return self._arrived.wait_for(lambda: len(self.seen) >= requests, limit_s)

    def turn_for(self, seen):
        with self._arrived:
            self.seen.append(seen)
            self._arrived.notify_all()
            if self.key and f"Bearer {self.key}" != seen.headers.get("authorization"):
                return error(401, f"Incorrect API key provided: {seen.headers.get('authorization')}", "invalid_api_key")
            if seen.path.endswith("/chat/completions") and seen.body["model"] != MODEL:
                return error(404, f"The model `{seen.body['model']}` does not exist", "model_not_found")
            return self.turns.pop(0) if self.turns else error(500, "the test has scripted no more answers")


class _Handler(BaseHTTPRequestHandler):
    fake: FakeServer
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        turn = self.fake.turn_for(Seen(time.monotonic(), self.path, headers, body))
        # Whoever asked may have gone away by now: that is what is tested.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._act(turn)

    def _act(self, turn):
        if turn.delay_s and self.fake.ended.wait(turn.delay_s):
            return
        content = turn.body if isinstance(turn.body, bytes) else json.dumps(turn.body).encode()
        self.send_response(turn.status)
        for name, value in {"Content-Type": "application/json", **turn.headers}.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(content) + (10**6 if turn.drip_s else 0)))
        self.end_headers()
        while turn.drip_s and not self.fake.ended.wait(turn.drip_s):
            self.wfile.write(b"\n")
            self.wfile.flush()
        if turn.cut:
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        self.wfile.write(content)

    def log_message(self, *_):
        pass
