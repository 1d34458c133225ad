"""Calls without an answer: which are tried again, when, and what the user is told. All over real HTTP."""

import itertools
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from llm.fake_server import MODEL, Turn, answer, error
from schedcp_gym.llm import CallFailed, CallOutcome, Client, LlmConfig, read_ledger, user

GOOD = answer("hello")
LONG = answer("x" * 4000)


def ask(client):
    return client.chat("planning", [user("hi")])


def outcomes(tmp_path):
    return [(entry.attempt, entry.outcome.value) for entry in read_ledger(tmp_path / "llm" / "ledger.jsonl")]


def fails(client):
    with pytest.raises(CallFailed) as caught:
        ask(client)
    assert str(caught.value).count("\n") <= 1
    assert len(str(caught.value)) < 400
    return caught.value


@pytest.mark.parametrize(
    ("turn", "outcome"),
    [
        (error(500, "boom"), "server_error"),
        (error(503, "busy"), "server_error"),
        (error(529, "overloaded"), "server_error"),
        (error(429, "slow down", "rate_limit_exceeded"), "rate_limited"),
        (error(429, "You exceeded your current quota of 5 per minute. Please retry in 0.1 s."), "rate_limited"),
        (error(500, "model not found: still loading"), "server_error"),
        (Turn(GOOD.body, delay_s=30), "timeout"),
        (Turn(GOOD.body, drip_s=0.02), "timeout"),
        (Turn(LONG.body, cut=True), "broken"),
        (Turn(b'{"choices": [{"mess'), "broken"),
        (Turn(b"<html>welcome</html>", headers={"Content-Type": "text/html"}), "broken"),
        (Turn({"choices": []}), "broken"),
    ],
    ids=["500", "503", "529", "429", "quota", "loading", "silent", "dripping", "cut", "no-json", "html", "no-choice"],
)
def test_what_may_pass_is_tried_again(serve, client_of, tmp_path, turn, outcome):
    server = serve(turn, GOOD)
    told = []
    began = time.monotonic()
    limit_s = 1.0 if outcome == "timeout" else 60.0
    assert ask(client_of(server, timeout_s=limit_s, tell=told.append)).text == "hello"
    assert outcomes(tmp_path) == [(1, outcome), (2, "ok")]
    assert len(told) == 1
    assert time.monotonic() - began >= (limit_s if outcome == "timeout" else 0.01)


def test_a_dripping_answer_is_given_up_in_time(serve, client_of):
    # Each blank line begins the client library's own limit anew.
    server = serve(Turn(GOOD.body, drip_s=0.02))
    began = time.monotonic()
    assert fails(client_of(server, timeout_s=0.3, retries=0)).outcome is CallOutcome.TIMEOUT
    assert 0.3 <= time.monotonic() - began < 20


@pytest.mark.parametrize("headers", [{"Retry-After": "0.4"}, {"retry-after-ms": "400"}], ids=["seconds", "ms"])
def test_a_server_is_not_asked_before_it_wants_to_be(serve, client_of, headers):
    server = serve(error(429, "slow down", headers=headers), error(503, "busy", headers=headers), GOOD)
    assert ask(client_of(server)).ok
    first, second, third = (seen.at for seen in server.seen)
    assert second - first >= 0.4
    assert third - second >= 0.4


def test_a_server_that_wants_too_long_a_wait_is_not_waited_for(serve, client_of, tmp_path):
    server = serve(error(429, "slow down", headers={"Retry-After": "600"}), GOOD)
    problem = fails(client_of(server))
    assert problem.retry_after_s == 600
    assert "llm.retry_after_max_s" in str(problem)
    assert outcomes(tmp_path) == [(1, "rate_limited")]


def test_waits_grow_and_end(serve, client_of, tmp_path):
    server = serve(*[error(500, "boom")] * 4)
    problem = fails(client_of(server, retries=3, backoff_s=0.1))
    assert problem.outcome is CallOutcome.SERVER_ERROR
    assert "boom" in str(problem)
    assert outcomes(tmp_path) == [(number, "server_error") for number in (1, 2, 3, 4)]
    times = [seen.at for seen in server.seen]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert all(gap >= 0.05 * 2**index for index, gap in enumerate(gaps))
    waited = [entry.waited_s for entry in read_ledger(tmp_path / "llm" / "ledger.jsonl")]
    assert waited[0] == 0
    assert all(gap >= wait for gap, wait in zip(gaps, waited[1:], strict=True))


@pytest.mark.parametrize(
    ("turn", "outcome", "fix"),
    [
        (error(401, "Incorrect API key", "invalid_api_key"), "auth_failed", "llm.api_key_env"),
        (error(403, "not for you"), "auth_failed", "llm.api_key_env"),
        (error(429, "You exceeded your current quota", "insufficient_quota"), "quota_spent", "add some"),
        (error(402, "Payment required"), "quota_spent", "add some"),
        (error(404, "The model `x` does not exist", "model_not_found"), "unknown_model", "llm.model"),
        (error(400, "model x is not found"), "unknown_model", "llm.model"),
        (error(400, "maximum context length is 10 tokens", "context_length_exceeded"), "too_long", "larger context"),
        (error(400, "top_k: unknown"), "bad_request", "llm.params"),
        (error(422, "no"), "bad_request", "llm.params"),
    ],
)
def test_what_will_not_pass_is_told_at_once(serve, client_of, tmp_path, turn, outcome, fix):
    server = serve(turn, GOOD)
    problem = fails(client_of(server))
    assert problem.outcome == outcome
    assert fix in str(problem)
    assert len(server.seen) == 1
    assert outcomes(tmp_path) == [(1, outcome)]
    assert read_ledger(tmp_path / "llm" / "ledger.jsonl")[0].prompt_tokens == 0


def test_a_prompt_that_the_providers_filter_refuses_is_a_refusal(serve, client_of, tmp_path):
    turn = error(400, "Your request was rejected as a result of our safety system", "content_policy_violation")
    reply = ask(client_of(serve(turn)))
    assert reply.outcome is CallOutcome.REFUSED
    assert outcomes(tmp_path) == [(1, "refused")]


def test_a_wrong_model_name(serve, client_of):
    problem = fails(client_of(serve(GOOD), model="openai/small-2"))
    assert problem.outcome is CallOutcome.UNKNOWN_MODEL
    assert "small-2" in str(problem)


def test_a_name_of_no_provider(client_of, serve):
    problem = fails(client_of(serve(), model="nobody/x"))
    assert problem.outcome is CallOutcome.UNKNOWN_MODEL
    assert "llm.model" in str(problem)


def test_nobody_listens(serve, tmp_path, warm_litellm):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        config = LlmConfig(f"openai/{MODEL}", f"http://127.0.0.1:{port}/v1", retries=1, backoff_s=0.01)
        problem = fails(Client(config, tmp_path / "llm"))
    assert problem.outcome is CallOutcome.UNREACHABLE
    assert f"can't connect to http://127.0.0.1:{port}/v1" in str(problem)
    assert outcomes(tmp_path) == [(1, "unreachable"), (2, "unreachable")]


def test_the_key_is_read_when_the_call_is_made(serve, client_of, monkeypatch):
    server = serve(GOOD, GOOD, key="sk-local-123456789")
    client = client_of(server, api_key_env="MY_KEY")
    assert "set MY_KEY in the environment" in str(fails(client))
    assert server.seen == []
    monkeypatch.setenv("MY_KEY", "sk-local-123456789")
    assert ask(client).ok


@pytest.mark.parametrize(
    ("model", "names"),
    [("anthropic/claude-x", ["ANTHROPIC_API_KEY"]), ("gemini/gemini-x", ["GEMINI_API_KEY", "GOOGLE_API_KEY"])],
)
def test_a_key_that_is_missing_is_named(tmp_path, warm_litellm, model, names):
    problem = fails(Client(LlmConfig(model), tmp_path / "llm"))
    assert problem.outcome is CallOutcome.AUTH_FAILED
    assert all(name in str(problem) for name in names)


def test_a_providers_key_is_not_sent_to_another_server(serve, client_of, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-real-1234567890abcdef")
    server = serve(GOOD)
    assert ask(client_of(server)).ok
    assert "sk-real" not in str(server.seen[0].headers)


def test_no_secret_is_saved_sent_or_told(serve, client_of, tmp_path, monkeypatch):
    key, other = "sk-local-abcdef123456", "value-of-a-token-0815"
    monkeypatch.setenv("MY_KEY", key)
    monkeypatch.setenv("CI_TOKEN", other)
    told = []
    server = serve(
        error(500, f"key {key} and Authorization: Bearer {key}"), answer(f"your key is {key}"), error(401, key)
    )
    client = client_of(server, api_key_env="MY_KEY", tell=told.append)
    reply = client.chat("planning", [user(f"here: {other}, Authorization: Bearer abcdef1234567")])
    assert reply.text == "your key is [secret]"
    assert other not in str(server.seen[0].body)
    problem = fails(client)
    texts = (
        [path.read_text() for path in (tmp_path / "llm").iterdir()] + told + [str(problem), str(server.seen[0].body)]
    )
    assert len(texts) == 5
    assert not [text for text in texts for secret in (key, other, "abcdef1234567") if secret in text]


def test_an_interrupted_call_is_counted_at_the_most_it_can_have_cost(serve, client_of, tmp_path):
    server = serve(Turn(GOOD.body, delay_s=60), GOOD)
    client = client_of(server, timeout_s=50)
    # Ctrl-C, as soon as the server has the question.
    interrupter = threading.Thread(target=lambda: server.reached(1) and os.kill(os.getpid(), signal.SIGINT))
    began = time.monotonic()
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        ask(client)
    interrupter.join()
    assert time.monotonic() - began < 20
    entry = read_ledger(tmp_path / "llm" / "ledger.jsonl")[0]
    assert (entry.outcome, entry.source, entry.completion_tokens) == ("interrupted", "ceiling", 1000)
    assert entry.host_s < 20
    assert ask(client).ok


def test_many_threads_at_once(serve, client_of, tmp_path):
    server = serve(*[answer(str(number), usage=(10, 1)) for number in range(24)])
    client = client_of(server)
    with ThreadPoolExecutor(6) as pool:
        texts = list(pool.map(lambda n: client.chat("r", [user("hi")], sample=n).text, range(24)))
    assert sorted(map(int, texts)) == list(range(24))
    entries = read_ledger(tmp_path / "llm" / "ledger.jsonl")
    assert sorted(entry.call for entry in entries) == list(range(1, 25))
    assert client.books.spent().tokens == 24 * 11
