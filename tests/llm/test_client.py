"""Answers, and what can be wrong with them."""

import enum
import json

import pytest
from pydantic import BaseModel, ConfigDict
from pydantic.dataclasses import dataclass

from llm.fake_server import MODEL, answer
from schedcp_gym.llm import CallOutcome, Tool, system, user


class Kind(enum.StrEnum):
    PATCH = "patch"
    NEW = "new"


class Plan(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Kind
    slice_us: int
    why: str = ""


@dataclass(frozen=True)
class Lookup:
    name: str
    limit: int = 3


LOOKUP = Tool("lookup", "Looks a policy up.", Lookup)
PLAN = '{"kind": "patch", "slice_us": 500}'


def test_a_good_answer(serve, client_of):
    server = serve(answer("hello"))
    reply = client_of(server).chat("planning", [system("be short"), user("hi")])
    assert (reply.outcome, reply.ok, reply.text, reply.repaired) == ("ok", True, "hello", False)
    assert reply.message == {"role": "assistant", "content": "hello"}
    asked = server.seen[0].body
    assert asked["messages"] == [{"role": "system", "content": "be short"}, {"role": "user", "content": "hi"}]
    assert (asked["model"], asked["max_tokens"], asked["seed"]) == (MODEL, 1000, 7)


def test_parameters_are_sent(serve, client_of):
    server = serve(answer("x"), answer("y"))
    client = client_of(server, temperature=0.25, params={"top_p": 0.5})
    client.chat("r", [user("hi")], max_tokens=20)
    client.chat("r", [user("hi")], sample=3)
    first, second = (seen.body for seen in server.seen)
    assert (first["temperature"], first["top_p"], first["max_tokens"], first["seed"]) == (0.25, 0.5, 20, 7)
    assert second["seed"] == 10


@pytest.mark.parametrize("text", [PLAN, f"```json\n{PLAN}\n```", f"\n```\n{PLAN}\n```\n"])
def test_a_structured_answer(serve, client_of, text):
    server = serve(answer(text))
    reply = client_of(server).chat("planning", [system("plan"), user("go")], answer=Plan)
    assert reply.answer == Plan(kind=Kind.PATCH, slice_us=500)
    told = server.seen[0].body["messages"]
    assert len(told) == 2
    assert told[0]["content"].startswith("plan\n\n")
    assert '"slice_us"' in told[0]["content"]
    assert "response_format" not in server.seen[0].body


def test_the_schema_is_sent_as_response_format_on_request(serve, client_of):
    server = serve(answer(PLAN))
    client_of(server, json_schema=True).chat("planning", [user("go")], answer=Plan)
    body = server.seen[0].body
    assert body["response_format"]["json_schema"]["schema"]["required"] == ["kind", "slice_us"]
    assert [message["role"] for message in body["messages"]] == ["system", "user"]


def test_a_malformed_answer_is_repaired_once(serve, client_of):
    server = serve(answer('{"kind": "patch", "slice_us": "500"}'), answer(PLAN))
    told = []
    reply = client_of(server, tell=told.append).chat("planning", [user("go")], answer=Plan)
    assert (reply.outcome, reply.repaired, reply.answer.slice_us) == ("ok", True, 500)
    first, again = (seen.body["messages"] for seen in server.seen)
    assert again[: len(first)] == first
    assert again[-2] == {"role": "assistant", "content": '{"kind": "patch", "slice_us": "500"}'}
    assert 'slice_us: Input should be a valid integer (got "500")' in again[-1]["content"]
    assert len(told) == 1


def test_an_answer_that_is_malformed_twice_is_given_up(serve, client_of):
    server = serve(answer("Here you are: {}"), answer('{"kind": "old", "slice_us": 1, "more": 2}'), answer(PLAN))
    reply = client_of(server).chat("planning", [user("go")], answer=Plan)
    assert (reply.outcome, reply.repaired, reply.answer) == ("malformed", True, None)
    assert "kind: " in reply.problem
    assert "more: Extra inputs are not permitted" in reply.problem
    assert len(server.seen) == 2
    assert len(server.turns) == 1


def test_tool_calls_are_checked(serve, client_of):
    server = serve(answer(calls=[("lookup", '{"name": "fifo"}'), ("lookup", '{"name": "edf", "limit": 1}')]))
    reply = client_of(server).chat("planning", [user("go")], tools=[LOOKUP], tool_choice="required")
    assert [(call.id, call.arguments) for call in reply.tool_calls] == [
        ("call_0", Lookup("fifo")),
        ("call_1", Lookup("edf", 1)),
    ]
    body = server.seen[0].body
    assert body["tool_choice"] == "required"
    assert body["tools"][0]["function"]["parameters"]["properties"]["limit"]["default"] == 3


def test_a_call_without_an_id_gets_one(serve, client_of):
    turn = answer(calls=[("lookup", '{"name": "fifo"}'), ("lookup", '{"name": "edf"}')])
    for call in turn.body["choices"][0]["message"]["tool_calls"]:
        del call["id"]
    reply = client_of(serve(turn)).chat("planning", [user("go")], tools=[LOOKUP])
    ids = [call.id for call in reply.tool_calls]
    assert len(set(ids)) == 2
    assert [call["id"] for call in reply.message["tool_calls"]] == ids


@pytest.mark.parametrize(
    ("name", "arguments", "problem"),
    [
        ("lookup", '{"name": "fifo"', "not valid JSON: Expecting ',' delimiter at line 1, column 16"),
        ("lookup", '{"nme": "fifo"}', "name: Field required"),
        ("lookup", '["fifo"]', "the arguments must be a JSON object"),
        ("look", "{}", "there is no tool 'look'; there are: lookup"),
    ],
)
def test_a_bad_tool_call_is_repaired_once(serve, client_of, name, arguments, problem):
    good = ("lookup", '{"name": "vtime"}')
    server = serve(answer(calls=[good, (name, arguments)]), answer(calls=[good, ("lookup", '{"name": "fifo"}')]))
    reply = client_of(server).chat("planning", [user("go")], tools=[LOOKUP])
    assert [call.arguments.name for call in reply.tool_calls] == ["vtime", "fifo"]
    assert reply.repaired
    echoed, other, told = server.seen[1].body["messages"][1:]
    # What is sent back as a call has to be an object: some providers take nothing else.
    assert all(isinstance(json.loads(c["function"]["arguments"]), dict | list) for c in echoed["tool_calls"])
    assert (other["tool_call_id"], told["tool_call_id"]) == ("call_0", "call_1")
    assert problem in told["content"]
    assert arguments in told["content"]
    assert "another call" in other["content"]


def test_a_tool_call_that_is_bad_twice_is_given_up(serve, client_of):
    bad = answer(calls=[("lookup", "{name: fifo}")])
    server = serve(bad, bad, answer("never asked for"))
    reply = client_of(server).chat("planning", [user("go")], tools=[LOOKUP])
    assert (reply.outcome, reply.tool_calls, reply.repaired) == ("malformed", (), True)
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    ("turn", "outcome", "problem"),
    [
        (answer('{"kind": "pat', finish="length"), CallOutcome.CUT_OFF, "cut off"),
        (answer(calls=[("lookup", '{"na')], finish="length"), CallOutcome.CUT_OFF, "cut off"),
        (answer(None, refusal="I will not do that"), CallOutcome.REFUSED, "I will not do that"),
        (answer("half of", finish="content_filter"), CallOutcome.REFUSED, "half of"),
        (answer(""), CallOutcome.EMPTY, "neither text nor"),
        (answer(" \n"), CallOutcome.EMPTY, "neither text nor"),
    ],
)
def test_other_endings_have_names_and_are_not_asked_again(serve, client_of, tmp_path, turn, outcome, problem):
    server = serve(turn)
    reply = client_of(server).chat("planning", [user("go")], answer=Plan, tools=[LOOKUP])
    assert (reply.outcome, reply.ok, reply.answer, reply.tool_calls) == (outcome, False, None, ())
    assert problem in reply.problem
    assert len(server.seen) == 1
    ended = json.loads((tmp_path / "llm" / "ledger.jsonl").read_text().splitlines()[-1])
    assert (ended["outcome"], ended["prompt_tokens"]) == (outcome, 20)


def test_another_model_shares_the_books(serve, client_of):
    server = serve(answer("a"), answer("b"))
    client = client_of(server)
    other = client.using(client.config.__class__(**{**vars(client.config), "temperature": 1.0}))
    client.chat("planning", [user("hi")])
    other.chat("execution", [user("hi")])
    assert client.books.spent().calls == 2
    assert list(client.books.reached()) == ["execution", "planning"]
