"""The server on the SDK's transports: standard input and output, or streamable HTTP with a bearer token."""

import asyncio
import contextlib
import hmac
import ipaddress
import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import uvicorn
from mcp.server import Server
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.stdio import stdio_server
from pydantic import AnyHttpUrl
from starlette.applications import Starlette

from schedcp_gym.spec import BadInput

#: The environment variable that holds the token of HTTP.
TOKEN_VARIABLE = "SCHEDCP_MCP_TOKEN"
LEAST_TOKEN_CHARS = 16
PATH = "/mcp"
#: Limits over HTTP: bytes of a request, simultaneous sessions, host seconds of an idle session.
BODY_BYTES, SESSIONS, IDLE_S = 4 << 20, 64, 3600.0
#: Host seconds that open connections, or a read that cannot be interrupted, may delay the end.
GRACE_S = 1.0


async def serve_stdio(server: Server[Any], stop: Callable[[], None]) -> None:
    """Serve one client on standard input and output, until the client closes them or a signal comes.

    Args:
        server: The server.
        stop: Called first at a signal: stops all virtual machines.
    """
    with anyio.CancelScope() as scope, _stopping(scope, stop):
        async with stdio_server() as (reader, writer):
            await server.run(reader, writer, server.create_initialization_options())


async def serve_http(server: Server[Any], where: socket.socket, token: str) -> None:
    """Serve any number of clients on a socket, until a signal comes.

    Args:
        server: The server.
        where: A bound socket.
        token: The token that each request must have.
    """
    host, port = where.getsockname()[:2]
    config = uvicorn.Config(
        http_app(server, host, port, token), log_config=None, timeout_graceful_shutdown=round(GRACE_S), ws="none"
    )
    await uvicorn.Server(config).serve(sockets=[where])


def http_app(server: Server[Any], host: str, port: int, token: str) -> Starlette:
    """Return the server as an HTTP application; a request without the token gets status 401."""
    # The SDK requires an issuer of tokens; ours has none: the person who runs the server passes the token on.
    issuer = AnyHttpUrl(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    return server.streamable_http_app(
        streamable_http_path=PATH,
        host="127.0.0.1" if is_loopback(host) else host,
        max_request_body_size=BODY_BYTES,
        max_sessions=SESSIONS,
        session_idle_timeout=IDLE_S,
        auth=AuthSettings(issuer_url=issuer, resource_server_url=None),
        token_verifier=BearerToken(token),
    )


class BearerToken:
    """Accepts requests with one token."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return the access for the right token; None for another."""
        if not hmac.compare_digest(token.encode(errors="replace"), self._token):
            return None
        return AccessToken(token=token, client_id="bearer", scopes=[])


def http_token() -> tuple[str, bool]:
    """Return the token of the environment, else a new one, and whether it is new.

    Raises:
        BadInput: The environment's token is too short, or can't be sent in a header.
    """
    given = os.environ.get(TOKEN_VARIABLE, "")
    if not given:
        return secrets.token_urlsafe(32), True
    if len(given) < LEAST_TOKEN_CHARS or not given.isascii() or not given.isprintable() or " " in given:
        raise BadInput(
            f"{TOKEN_VARIABLE} must have {LEAST_TOKEN_CHARS} characters or more, of ASCII and without spaces; "
            "unset it to get a new one"
        )
    return given, False


def bind(address: str) -> socket.socket:
    """Return a socket that listens at ``HOST:PORT``; port 0 means any free port.

    Raises:
        BadInput: The address is malformed, or can't be used.
    """
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise BadInput(f"--http takes HOST:PORT, like 127.0.0.1:8765 or [::1]:8765, not {address!r}")
    try:
        family = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, int(port)), family=family)
    except OSError as error:
        raise BadInput(f"can't listen at {address}: {error.strerror or error}") from None


def is_loopback(host: str) -> bool:
    """Return whether only this host can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextlib.contextmanager
def _stopping(scope: anyio.CancelScope, stop: Callable[[], None]) -> Iterator[None]:
    """Cancel a scope at SIGINT or SIGTERM, and then end the process: a read of standard input can't be stopped."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def ending(number: int) -> None:
        stop()
        scope.cancel()
        last = threading.Timer(GRACE_S, os._exit, (128 + number,))
        last.daemon = True
        last.start()

    for number in signals:
        loop.add_signal_handler(number, ending, number)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
