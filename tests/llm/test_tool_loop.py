import json

import pytest
from pydantic import BaseModel

from llm.fake_server import answer
from schedcp_gym.llm import Tool, ToolResult, run_tools, system, user
from schedcp_gym.llm import tokens as counter
from schedcp_gym.llm.tool_loop import plain_arguments
from schedcp_gym.spec import BadInput, SchedcpError


class Where(BaseModel):
    cpu: int


class Verdict(BaseModel):
    policy: str


LOOK = Tool("look", "Looks at a CPU.", Where)
OK = ToolResult(text="ok")
LIST = Tool("list", "Lists policies.", {"type": "object", "properties": {}})


def calls(*cpus):
    return answer(calls=[("look", json.dumps({"cpu": cpu})) for cpu in cpus])


def test_calls_are_made_until_there_is_an_answer(serve, client_of):
    server = serve(calls(0, 1), answer(calls=[("list", "")]), answer('{"policy": "edf"}'))
    made = []

    def execute(call):
        made.append((call.name, plain_arguments(call)))
        return ToolResult({"number": len(made)}, f"result {len(made)}")

    talk = run_tools(client_of(server), "r", [system("s"), user("go")], [LOOK, LIST], execute, answer=Verdict)
    assert talk.reply.answer == Verdict(policy="edf")
    assert (talk.rounds, talk.calls, talk.out_of_rounds) == (2, 3, False)
    assert made == [("look", {"cpu": 0}), ("look", {"cpu": 1}), ("list", {})]
    last = server.seen[-1].body["messages"]
    assert [message["role"] for message in last] == ["system", "user", "assistant", "tool", "tool", "assistant", "tool"]
    assert [message["content"] for message in last if message["role"] == "tool"] == [f"result {n}" for n in (1, 2, 3)]
    assert talk.messages[-1]["content"] == '{"policy": "edf"}'
    # The conversation keeps the data; a language model is sent the text alone.
    assert [message["data"] for message in talk.messages if message["role"] == "tool"] == [
        {"number": n} for n in (1, 2, 3)
    ]
    assert not any("data" in message for message in last)


def test_the_last_round_has_to_answer(serve, client_of):
    server = serve(calls(0), calls(1), answer("enough"))
    talk = run_tools(client_of(server), "r", [user("go")], [LOOK], lambda call: OK, max_rounds=2)
    assert (talk.reply.text, talk.rounds, talk.out_of_rounds) == ("enough", 2, False)
    assert [seen.body["tool_choice"] for seen in server.seen] == ["auto", "auto", "none"]
    assert "no more tool calls" in server.seen[-1].body["messages"][-1]["content"]


def test_a_model_that_calls_nevertheless_is_out_of_rounds(serve, client_of):
    server = serve(calls(0), calls(1))
    made = []
    talk = run_tools(client_of(server), "r", [user("go")], [LOOK], lambda call: made.append(call) or OK, max_rounds=1)
    assert talk.out_of_rounds
    assert len(made) == talk.calls == 1


def test_no_more_calls_than_allowed(serve, client_of):
    server = serve(calls(0, 1, 2), answer("enough"))
    made = []
    talk = run_tools(client_of(server), "r", [user("go")], [LOOK], lambda call: made.append(call) or OK, max_calls=2)
    assert len(made) == talk.calls == 2
    assert "was not made" in server.seen[-1].body["messages"][-2]["content"]
    assert server.seen[-1].body["tool_choice"] == "none"


def test_an_error_of_a_tool_is_told_to_the_model(serve, client_of):
    server = serve(calls(7), answer("so be it"))

    def execute(call):
        raise BadInput("there is no CPU 7")

    assert run_tools(client_of(server), "r", [user("go")], [LOOK], execute).reply.ok
    assert server.seen[-1].body["messages"][-1]["content"] == "error: there is no CPU 7"


@pytest.mark.parametrize("error", [ZeroDivisionError, SchedcpError])
def test_a_mistake_of_the_program_and_a_fault_of_the_host_are_not(serve, client_of, error):
    def execute(call):
        raise error

    with pytest.raises(error):
        run_tools(client_of(serve(calls(7))), "r", [user("go")], [LOOK], execute)


def test_a_long_result_is_cut(serve, client_of):
    server = serve(calls(0), answer("done"))
    long = ToolResult(text="line of trace\n" * 20_000)
    run_tools(client_of(server), "r", [user("go")], [LOOK], lambda call: long, result_tokens=200)
    told = server.seen[-1].body["messages"][-1]["content"]
    assert 100 < counter.count(told) <= 200
    assert "characters left out" in told


def test_a_bad_call_is_repaired_within_the_loop_and_forgotten(serve, client_of):
    server = serve(answer(calls=[("look", '{"cpu": "all"}')]), calls(1), answer("done"))
    talk = run_tools(client_of(server), "r", [user("go")], [LOOK], lambda call: OK)
    assert talk.reply.ok
    assert (talk.rounds, talk.calls) == (1, 1)
    assert '"all"' in str(server.seen[1].body["messages"])
    assert '"all"' not in str(server.seen[-1].body["messages"])


@pytest.mark.parametrize(
    ("turn", "outcome"), [(answer("x", finish="length"), "cut_off"), (answer(None, refusal="no"), "refused")]
)
def test_other_endings_end_the_loop(serve, client_of, turn, outcome):
    talk = run_tools(client_of(serve(calls(0), turn)), "r", [user("go")], [LOOK], lambda call: OK, answer=Verdict)
    assert (talk.reply.outcome, talk.reply.answer, talk.rounds) == (outcome, None, 1)
