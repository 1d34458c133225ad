"""Another provider's protocol, through the same client: what litellm makes of it is what this layer relies on."""

import pytest
from pydantic import BaseModel

from llm.fake_server import Turn
from schedcp_gym.llm import (
    CallFailed,
    Client,
    LlmBudget,
    LlmConfig,
    Tool,
    ToolResult,
    read_ledger,
    run_tools,
    system,
    user,
)


class At(BaseModel):
    cpu: int


LOOK = Tool("look", "Looks at a CPU.", At)


def told(*content, stop="end_turn"):
    body = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "stop_sequence": None}
    usage = {"input_tokens": 1000, "output_tokens": 100, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
    return Turn({**body, "content": list(content), "stop_reason": stop, "usage": usage})


def text(words):
    return {"type": "text", "text": words}


def wrong(status, kind, message, headers=None):
    return Turn({"type": "error", "error": {"type": kind, "message": message}}, status, headers or {})


@pytest.fixture
def client(tmp_path, monkeypatch):
    def make(server, budget=None):
        monkeypatch.setenv("MY_KEY", "sk-ant-1234567890")
        config = LlmConfig(
            "anthropic/claude-sonnet-4-5",
            api_base=server.url.removesuffix("/v1"),
            api_key_env="MY_KEY",
            retries=1,
            backoff_s=0.02,
            seed=1,
            max_tokens=500,
            timeout_s=60,
        )
        return Client(config, tmp_path / "llm", budget)

    return make


def test_tools_and_prices(serve, client, tmp_path):
    thinking = {"type": "thinking", "thinking": "hm", "signature": "c2lnbmF0dXJl"}
    use = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"cpu": 1}}
    server = serve(told(thinking, use, stop="tool_use"), told(text("edf")))
    talk = run_tools(
        client(server, LlmBudget(usd=1.0)), "r", [system("s"), user("go")], [LOOK], lambda call: ToolResult(text="idle")
    )
    assert talk.reply.text == "edf"
    first, second = (seen.body for seen in server.seen)
    assert server.seen[0].headers["x-api-key"] == "sk-ant-1234567890"
    assert "seed" not in first  # it knows none
    result = second["messages"][-1]["content"][0]
    assert (result["type"], result["tool_use_id"]) == ("tool_result", "toolu_1")
    assert "idle" in str(result["content"])
    assert second["messages"][1]["content"][0] == thinking  # its thinking goes back with its call
    # The price of litellm's own table: 3 and 15 dollars for a million.
    assert [entry.usd for entry in read_ledger(tmp_path / "llm" / "ledger.jsonl")] == pytest.approx([0.0045, 0.0045])


@pytest.mark.parametrize(
    ("stop", "outcome"),
    [("max_tokens", "cut_off"), ("refusal", "refused"), ("end_turn", "ok"), ("stop_sequence", "ok")],
)
def test_endings(serve, client, stop, outcome):
    assert client(serve(told(text("x"), stop=stop))).chat("r", [user("hi")]).outcome == outcome


def test_retry_after(serve, client):
    server = serve(wrong(429, "rate_limit_error", "slow down", {"Retry-After": "0.4"}), told(text("x")))
    assert client(server).chat("r", [user("hi")]).ok
    assert server.seen[1].at - server.seen[0].at >= 0.4


@pytest.mark.parametrize(
    ("turn", "outcome", "attempts"),
    [
        (wrong(529, "overloaded_error", "Overloaded"), "server_error", 2),
        (wrong(500, "api_error", "Internal"), "server_error", 2),
        (wrong(401, "authentication_error", "invalid x-api-key"), "auth_failed", 1),
        (wrong(404, "not_found_error", "model: claude-x"), "unknown_model", 1),
        (wrong(400, "invalid_request_error", "Your credit balance is too low"), "quota_spent", 1),
        (wrong(400, "invalid_request_error", "prompt is too long: 300000 tokens"), "too_long", 1),
        (wrong(400, "invalid_request_error", "messages: wrong"), "bad_request", 1),
        (Turn(b"<html>"), "broken", 2),
        (Turn(b'{"type": "message", "content": [' + b" " * 9000, cut=True), "broken", 2),
    ],
)
def test_errors(serve, client, turn, outcome, attempts):
    server = serve(turn, turn)
    with pytest.raises(CallFailed) as caught:
        client(server).chat("r", [user("hi")])
    assert (caught.value.outcome, len(server.seen)) == (outcome, attempts)
