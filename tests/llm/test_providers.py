"""Programs of our own that answer in a model's place: found by their files, called without litellm."""

import subprocess
import sys

import pytest
from pydantic import BaseModel

from schedcp_gym.llm import Client, LlmBudget, LlmConfig, Tool, ToolResult, providers, read_ledger, run_tools, user
from schedcp_gym.spec import BadInput

ECHO = """
from schedcp_gym.llm.providers import Answer


class Echo:
    shown_as = "echo-rules"

    def answer(self, prompt):
        if prompt.model == "broken":
            raise ZeroDivisionError("a mistake in the rules")
        if prompt.model == "chatty":
            return Answer("word " * 500)
        if prompt.tools and prompt.messages[-1]["role"] == "user":
            return Answer(calls=[(prompt.tools[0]["function"]["name"], {"x": 1}), ("look", {"x": 2})])
        last = prompt.messages[-1]
        said = last.get("data") or last["content"]
        return Answer(f"{prompt.role} {prompt.model} {prompt.seed} {prompt.max_tokens} {said}")


PROVIDER = Echo()
"""


class At(BaseModel):
    x: int


@pytest.fixture
def folder(tmp_path, monkeypatch):
    place = tmp_path / "providers"
    place.mkdir()
    (place / "echo.py").write_text(ECHO)
    (place / "empty.py").write_text("")
    monkeypatch.setattr(providers, "__path__", [*providers.__path__, str(place)])
    return tmp_path / "llm"


def config(name="echo/plain"):
    return LlmConfig(name, seed=5, max_tokens=300, timeout_s=30)


def test_a_file_is_a_provider(folder):
    assert "echo" in providers.provider_names()
    client = Client(config(), folder, LlmBudget(usd=0.001))
    reply = client.chat("r", [user("hi")])
    assert reply.text == "r plain 5 300 hi"
    assert (client.shown_model, client.is_language_model) == ("echo-rules", False)
    entry = read_ledger(folder / "ledger.jsonl")[0]
    assert (entry.usd, entry.source, entry.outcome) == (0.0, "usage", "ok")
    assert entry.prompt_tokens > 0 < entry.completion_tokens


def test_it_calls_tools(folder):
    seen = []
    tool = Tool("look", "", At)
    client = Client(config(), folder)

    def execute(call):
        seen.append(call.arguments.x)
        return ToolResult({"seen": call.id}, f"saw {call.id}")

    talk = run_tools(client, "r", [user("hi")], [tool], execute)
    assert seen == [1, 2]
    assert talk.reply.text == "r plain 5 300 {'seen': 'call_1_1'}"


def test_it_gets_the_data_of_a_message_and_needs_no_litellm(folder):
    reply = Client(config(), folder).chat("r", [user("hi", {"task": 3})])
    assert reply.text == "r plain 5 300 {'task': 3}"
    code = (
        "import sys, pathlib; from schedcp_gym.llm import Client, LlmConfig, user;"
        f"client = Client(LlmConfig('offline/rules'), pathlib.Path({str(folder / 'other')!r}));"
        "client.chat('naive', [user('x')]); print('litellm' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_a_limit_of_tokens_is_one(folder):
    assert Client(config("echo/chatty"), folder).chat("r", [user("hi")]).outcome == "cut_off"


def test_a_mistake_in_the_rules_is_seen_as_such(folder):
    with pytest.raises(ZeroDivisionError, match="mistake in the rules"):
        Client(config("echo/broken"), folder).chat("r", [user("hi")])


def test_a_file_without_a_provider_is_told(folder):
    with pytest.raises(BadInput, match=r"providers/empty\.py has no PROVIDER"):
        Client(config("empty/x"), folder).chat("r", [user("hi")])


def test_models_of_others_are_shown_by_name(tmp_path):
    client = Client(config("openai/gpt-5"), tmp_path)
    assert (client.shown_model, client.is_language_model) == ("openai/gpt-5", True)
