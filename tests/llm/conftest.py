"""A fake server for each test, and clients of it."""

import os

import pytest
from fake_server import MODEL, FakeServer

from schedcp_gym.llm import Client, LlmConfig


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


def config_of(server, **more):
    """How the server is asked, with waits of hundredths of a second."""
    quick = {"timeout_s": 5.0, "retries": 2, "backoff_s": 0.02, "seed": 7, "max_tokens": 1000}
    return LlmConfig(**{"model": f"openai/{MODEL}", "api_base": server.url, **quick, **more})


@pytest.fixture
def client_of(tmp_path):
    """Makes a client of a server, with its files in the test's folder."""

    def make(server, budget=None, tell=None, folder=tmp_path / "llm", **more):
        return Client(config_of(server, **more), folder, budget, tell)

    return make
