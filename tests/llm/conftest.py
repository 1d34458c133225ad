"""A fake server for each test, and clients of it."""

import os

import pytest

from llm.fake_server import FakeServer, config_of
from schedcp_gym.llm import Client


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    """The developer's own keys are out of the tests."""
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_TOKEN")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def warm_litellm():
    """litellm imports parts of itself in the first call; the limits of time in these tests are too short for that."""
    with FakeServer() as server:
        config = config_of(server, retries=0, timeout_s=60)
        from schedcp_gym.llm.transport import LiteLlm

        with pytest.raises(Exception, match="scripted"):
            LiteLlm(config).send({"messages": [{"role": "user", "content": "hi"}], "max_tokens": 16}, 60)


@pytest.fixture
def serve(warm_litellm):
    """Starts a server with scripted turns."""
    servers = []

    def start(*turns, key=None):
        servers.append(FakeServer(*turns, key=key))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def client_of(tmp_path):
    """Makes a client of a server, with its files in the test's folder."""

    def make(server, budget=None, tell=None, folder=tmp_path / "llm", **more):
        return Client(config_of(server, **more), folder, budget, tell)

    return make
