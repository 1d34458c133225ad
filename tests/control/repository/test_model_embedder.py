"""Embeddings by a model: litellm itself, against a server of the OpenAI protocol on this host."""

import http.server
import json
import threading

import pytest

from schedcp_gym.control.repository import ModelEmbedder, configured_embedder, open_library
from schedcp_gym.control.repository.embedding import MODEL_VARIABLE, TEXTS_AT_ONCE
from schedcp_gym.spec import BadInput, SchedcpError

DIMENSION = 24


def letters(text):
    """A vector of a text that a reader can check: how often each letter is in it."""
    return [float(text.lower().count(chr(ord("a") + place))) for place in range(DIMENSION)]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(asked)
        status, body = self.server.answer(asked)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_):
        pass


def right(asked):
    data = [{"object": "embedding", "index": at, "embedding": letters(text)} for at, text in enumerate(asked["input"])]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return 200, {"object": "list", "data": data[::-1], "model": asked["model"], "usage": usage}


@pytest.fixture
def server():
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.asked, served.answer = [], right
    thread = threading.Thread(target=served.serve_forever)
    thread.start()
    yield served
    served.shutdown()
    thread.join()
    served.server_close()


def embedder_of(server, name="openai/letters"):
    base = f"http://127.0.0.1:{server.server_address[1]}/v1"
    return ModelEmbedder(name, api_base=base, api_key="test", max_retries=0)


def test_repository_with_a_models_embedding(server, tmp_path):
    embedder = embedder_of(server)
    repository = open_library(tmp_path, embedder)
    assert embedder.dimension == DIMENSION
    assert all(len(asked["input"]) <= TEXTS_AT_ONCE for asked in server.asked)
    assert repository.search("keep one long job from finishing last")[0].vector > 0
    assert server.asked[-1]["input"] == ["keep one long job from finishing last"]


def test_answers_are_put_in_the_order_of_the_texts(server):
    one, two = embedder_of(server).embed(["aaa", "bb"])
    assert (one[0], two[1]) == (1.0, 1.0)


def test_another_model_embeds_what_is_there_anew(server, tmp_path):
    local = open_library(tmp_path)
    before = {record.name: record for record in local.policies()}
    moved = open_library(tmp_path, embedder_of(server))
    assert {record.name: record for record in moved.policies()} == before
    assert moved.search("first come, first served")
    for use in (lambda: local.search("first come, first served"), lambda: local.put(local.policies()[:1])):
        with pytest.raises(SchedcpError, match="embedded with model-openai/letters by now"):
            use()
    assert open_library(tmp_path).search("first come, first served")[0].vector == 0


@pytest.mark.parametrize(
    "answer",
    [
        lambda asked: (401, {"error": {"message": "wrong key", "type": "invalid_request_error"}}),
        lambda asked: (500, {"error": {"message": "broken"}}),
        lambda asked: (200, {"object": "list", "data": [], "model": "m", "usage": {}}),
        lambda asked: (200, {"nonsense": True}),
        lambda asked: (200, {**right(asked)[1], "data": [{"index": 0, "object": "embedding", "embedding": []}]}),
    ],
)
def test_models_failures_are_told_in_two_lines(server, answer):
    server.answer = answer
    with pytest.raises(BadInput, match="embedding model openai/letters") as error:
        embedder_of(server).embed(["text"])
    assert len(str(error.value).splitlines()) <= 2


def test_model_is_configured_by_its_variable(monkeypatch):
    monkeypatch.delenv(MODEL_VARIABLE, raising=False)
    assert configured_embedder() is None
    monkeypatch.setenv(MODEL_VARIABLE, "ollama/nomic-embed-text")
    assert configured_embedder().identity == "model-ollama/nomic-embed-text"
