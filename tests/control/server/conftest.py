"""Planes and servers for tests, and a client of them in memory."""

import asyncio
import contextlib
import json

import pytest
from mcp import Client
from repository.conftest import library, repository, unrecorded  # noqa: F401 (fixtures)

from schedcp_gym.control.server import ControlPlane
from schedcp_gym.control.server.audit import AuditLog
from schedcp_gym.control.server.server import build_server
from schedcp_gym.lab import Lab


@pytest.fixture
def plane(library):  # noqa: F811
    """A plane over all workloads; its calls are stopped at the end."""
    made = ControlPlane(Lab(workers=2), repository=library)
    yield made
    made.close()


class Served:
    """A server in memory, and what it logged."""

    def __init__(self, plane, path):
        self.plane = plane
        self.path = path
        self.log = AuditLog(path)
        self.server = build_server(plane, self.log)

    def entries(self):
        """The lines of the audit log."""
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def do(self, work, mode="auto", **options):
        """Runs a coroutine function with a client that is connected."""

        async def connected():
            async with Client(self.server, mode=mode, **options) as client:
                return await asyncio.wait_for(work(client), 120)

        return asyncio.run(connected())

    def call(self, name, /, mode="auto", **arguments):
        """One call of a tool."""
        return self.do(lambda client: client.call_tool(name, arguments), mode)


@pytest.fixture
def serve(tmp_path):
    """A function that serves a plane."""
    with contextlib.ExitStack() as stack:

        def made(plane):
            served = Served(plane, tmp_path / f"audit-{len(list(tmp_path.glob('audit-*')))}.jsonl")
            stack.callback(served.log.close)
            return served

        yield made


@pytest.fixture
def served(plane, serve):
    """The plane, served."""
    return serve(plane)


def text_of(result):
    """A tool's text."""
    return result.content[0].text
