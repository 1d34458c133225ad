"""A conversation with tools within its limit."""

import itertools

from schedcp_gym.baselines.single_agent.window import Window
from schedcp_gym.llm import system, tokens, tool_result, user

HEAD = [system("You work alone."), user("The task.")]


def round_of(number, size=200):
    call = {"id": f"c{number}", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        tool_result(f"c{number}", f"result {number} " + "word " * size),
    ]


def window(limit):
    return Window(limit, len(HEAD), lambda rounds: user(f"{rounds} rounds are left out"))


def test_a_short_conversation_stays_as_it_is():
    talk = [*HEAD, *round_of(1)]
    assert window(1000).shorten(talk) == talk


def test_the_oldest_rounds_go_whole_and_once():
    limits, talk, lengths = window(1000), list(HEAD), []
    for number in range(1, 20):
        talk = [*limits.shorten(talk), *round_of(number)]
        lengths.append(tokens.count_request(talk))
        assert talk[:2] == HEAD
        called = [call["id"] for message in talk for call in message.get("tool_calls", ())]
        assert called == [message["tool_call_id"] for message in talk if message["role"] == "tool"]
        assert called[-1] == f"c{number}"
        said = [message["content"] for message in talk[2:] if message["role"] == "user"]
        gone = number - len(called)
        assert said == ([f"{gone} rounds are left out"] if gone else [])
    assert max(lengths) < 1000 + 300
    # Cut seldom: a provider's cache is of use as long as the beginning stays.
    assert sum(after < before for before, after in itertools.pairwise(lengths)) <= 7


def test_the_last_round_stays_however_long_it_is():
    talk = [*HEAD, *round_of(1), *round_of(2, 3000)]
    kept = window(1000).shorten(talk)
    assert kept == [*HEAD, user("1 rounds are left out"), *round_of(2, 3000)]
    alone = [*HEAD, *round_of(1, 3000)]
    assert window(1000).shorten(alone) == alone


def test_where_the_task_alone_is_too_long_it_stays():
    assert window(1).shorten(HEAD) == HEAD
    talk = [*HEAD, *round_of(1), *round_of(2)]
    assert [message.get("content") for message in window(1).shorten(talk)[2:3]] == ["1 rounds are left out"]
