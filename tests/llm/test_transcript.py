"""What was asked and answered is saved; a run that goes on, and a replay, are answered out of it."""

import json
import os
import signal
import subprocess
import sys

import pytest
from pydantic import BaseModel

from llm.fake_server import Turn, answer, config_of, error
from schedcp_gym.llm import (
    CallFailed,
    Client,
    LlmBudget,
    LlmBudgetSpent,
    LlmConfig,
    NotRecorded,
    Prices,
    read_ledger,
    user,
)
from schedcp_gym.spec import BadInput, SchedcpError


class Answer(BaseModel):
    value: int


def lines_of(folder, name="transcript.jsonl"):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def conversation(client):
    """Three questions; the last depends on an answer, and on what is left."""
    first = client.chat("planning", [user("one")])
    second = client.chat("planning", [user("two")], answer=Answer)
    left = client.books.left()
    third = client.chat("execution", [user(f"{first.text} {second.answer} {left['calls']} {left['usd']:.6f}")])
    return first.text, second.answer, second.repaired, third.text, client.books.reached()


def script():
    return [error(500, "boom"), answer("1"), answer("no json"), answer('{"value": 2}'), answer("3")]


@pytest.fixture
def recorded(serve, tmp_path):
    server = serve(*script())
    folder = tmp_path / "first"
    said = conversation(Client(config_of(server, prices=Prices(1, 2)), folder, LlmBudget(calls=50, usd=1.0)))
    return server, folder, said


def test_everything_is_in_the_transcript(recorded):
    server, folder, _ = recorded
    lines = lines_of(folder)
    assert [(line["role"], line["entry"]["outcome"], line["final"]) for line in lines] == [
        ("planning", "server_error", False),
        ("planning", "ok", True),
        ("planning", "malformed", True),
        ("planning", "ok", True),
        ("execution", "ok", True),
    ]
    assert "boom" in lines[0]["error"]
    assert lines[0]["request"]["messages"] == server.seen[0].body["messages"]
    assert lines[1]["request"] is None  # the same once more
    assert lines[3]["request"]["messages"] == server.seen[3].body["messages"]
    assert lines[3]["response"]["message"]["content"] == '{"value": 2}'


def test_a_run_that_goes_on_pays_nothing_again(serve, recorded):
    server, folder, said = recorded
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    again = Client(config_of(server, prices=Prices(1, 2)), folder, LlmBudget(calls=50, usd=1.0))
    assert conversation(again) == said
    assert len(server.seen) == 5
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    server.turns.append(answer("4"))
    assert again.chat("planning", [user("one")]).text == "4"


def test_a_replay_needs_no_server_no_key_and_no_litellm(recorded, tmp_path):
    server, folder, said = recorded
    code = f"""
import sys, json
sys.path.insert(0, "tests")
from pathlib import Path
from llm.test_transcript import conversation
from schedcp_gym.llm import *
replay = {str(folder / "transcript.jsonl")!r}
config = LlmConfig(model={config_of(server).model!r}, seed=7, max_tokens=1000, replay=replay)
client = Client(config, Path({str(tmp_path / "second")!r}), LlmBudget(calls=50, usd=1.0))
said = conversation(client)
print(json.dumps([*map(str, said[:4]), said[4]["planning"].plain(), "litellm" in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [*map(str, said[:4]), said[4]["planning"].plain(), False]
    assert read_ledger(tmp_path / "second" / "ledger.jsonl") == read_ledger(folder / "ledger.jsonl")


def test_a_miss_is_told(recorded, tmp_path):
    server, folder, _ = recorded
    client = Client(config_of(server, replay=str(folder / "transcript.jsonl")), tmp_path / "second")
    with pytest.raises(NotRecorded, match=r"no \(further\) answer to this question of planning"):
        client.chat("planning", [user("something else")])
    client.chat("planning", [user("one")])
    with pytest.raises(NotRecorded):
        client.chat("planning", [user("one")])
    with pytest.raises(NotRecorded):
        client.using(config_of(server, temperature=1.0, replay=client.config.replay)).chat("planning", [user("one")])
    assert len(server.seen) == 5


def test_a_transcript_that_is_not_there(tmp_path):
    with pytest.raises(BadInput, match=r"no transcript .*llm\.replay"):
        Client(LlmConfig("openai/x", replay=str(tmp_path / "none.jsonl")), tmp_path / "llm")


def test_errors_are_replayed_too_but_asked_again_in_a_run_that_goes_on(serve, tmp_path):
    server = serve(error(400, "top_k: unknown"), error(400, "context_policy", "content_policy_violation"), answer("x"))
    first, folder = Client(config_of(server), tmp_path / "first", LlmBudget(calls=2)), tmp_path / "first"

    def ask(client):
        said = []
        for text in ("a", "b", "c"):
            try:
                said.append(client.chat("r", [user(text)]).outcome)
            except (CallFailed, LlmBudgetSpent) as problem:
                said.append(str(problem))
        return said

    said = ask(first)
    assert said[1] == "refused"
    assert "top_k" in said[0]
    assert "raise calls" in said[2]
    assert ask(Client(config_of(server, replay=str(folder / "transcript.jsonl")), tmp_path / "second")) == said
    server.turns = [answer("a"), answer("c")]
    assert ask(Client(config_of(server), folder, LlmBudget(calls=4))) == ["ok", "refused", "ok"]
    assert ask(Client(config_of(server), folder, LlmBudget(calls=4))) == ["ok", "refused", "ok"]


def test_samples_are_questions_of_their_own(serve, tmp_path):
    server = serve(answer("a"), answer("b"), answer("c"))
    first = Client(config_of(server, seed=None), tmp_path / "llm")
    said = [first.chat("r", [user("hi")], sample=number).text for number in range(3)]
    again = Client(config_of(server, seed=None), tmp_path / "llm")
    assert [again.chat("r", [user("hi")], sample=number).text for number in (2, 0, 1)] == [said[2], said[0], said[1]]


def test_the_same_question_twice_has_two_answers_in_order(serve, tmp_path):
    server = serve(answer("a"), answer("b"))
    first = Client(config_of(server), tmp_path / "llm")
    assert [first.chat("r", [user("hi")]).text for _ in range(2)] == ["a", "b"]
    again = Client(config_of(server), tmp_path / "llm")
    assert [again.chat("r", [user("hi")]).text for _ in range(2)] == ["a", "b"]


KILLED = """
import sys
sys.path.insert(0, "tests")
from pathlib import Path
from llm.test_transcript import conversation
from schedcp_gym.llm import *
config = LlmConfig(model="openai/small-1", api_base=sys.argv[1], retries=2, backoff_s=0.02, seed=7, max_tokens=1000,
    timeout_s=200, prices=Prices(1, 2))
conversation(Client(config, Path(sys.argv[2]), LlmBudget(calls=50, usd=1.0)))
"""


def test_killed_in_the_middle_of_a_call(serve, tmp_path):
    whole = script()
    server = serve(*whole[:3], Turn(whole[3].body, delay_s=300))
    process = subprocess.Popen([sys.executable, "-c", KILLED, server.url, str(tmp_path / "llm")])
    assert server.reached(4)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    began = lines_of(tmp_path / "llm", "ledger.jsonl")
    assert [line["kind"] for line in began].count("begin") == [line["kind"] for line in began].count("end") + 1
    # A line that was cut off by the power's loss goes, too.
    with (tmp_path / "llm" / "transcript.jsonl").open("a") as file:
        file.write('{"kind": "att')
    server.turns = whole[3:]
    said = conversation(Client(config_of(server, prices=Prices(1, 2)), tmp_path / "llm", LlmBudget(calls=50, usd=1.0)))
    assert said[:4] == ("1", Answer(value=2), True, "3")
    assert len(server.seen) == 6  # four before, of which one was lost, and two after
    entries = read_ledger(tmp_path / "llm" / "ledger.jsonl")
    assert [entry.outcome.value for entry in entries].count("interrupted") == 1
    lost = next(entry for entry in entries if entry.outcome == "interrupted")
    assert (lost.source, lost.completion_tokens) == ("ceiling", 1000)
    once_more = conversation(
        Client(config_of(server, prices=Prices(1, 2)), tmp_path / "llm", LlmBudget(calls=50, usd=1.0))
    )
    assert once_more == said
    assert len(server.seen) == 6


def test_killed_between_transcript_and_ledger(recorded):
    server, folder, said = recorded
    ledger = folder / "ledger.jsonl"
    lines = ledger.read_text().splitlines(keepends=True)
    before = read_ledger(ledger)
    ledger.write_text("".join(lines[:-1]))
    again = Client(config_of(server, prices=Prices(1, 2)), folder, LlmBudget(calls=50, usd=1.0))
    assert read_ledger(ledger) == before
    assert conversation(again) == said


@pytest.mark.parametrize("name", ["ledger.jsonl", "transcript.jsonl"])
def test_a_damaged_line_is_told(recorded, name):
    server, folder, _ = recorded
    lines = (folder / name).read_text().splitlines(keepends=True)
    (folder / name).write_text("".join([lines[0], "{broken\n", *lines[2:]]))
    with pytest.raises(SchedcpError, match=r"line 2 is damaged; use another run.dir"):
        Client(config_of(server), folder)
