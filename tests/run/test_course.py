"""How a search went: iterations and cost, out of record and ledger."""

import io

from rich.console import Console

from schedcp_gym.envs.wrappers import Budget, Ledger
from schedcp_gym.llm.ledger import CallEntry, CallLedger
from schedcp_gym.run.course import course_of
from schedcp_gym.run.folder import LLM, open_run
from schedcp_gym.run.model import cost_of
from schedcp_gym.run.show import Display, cost_table


def evaluation(reward, outcome="ok"):
    return {"kind": "evaluation", "reward": reward, "outcome": outcome}


def note(number):
    return {"kind": "note", "iteration": number}


def rewards(entries):
    course = course_of(entries, 1.0, "", None)
    return [(each.evaluations, each.reward) for each in course.iterations], course


def test_each_evaluation_is_an_iteration_of_an_agent_that_says_nothing():
    found, course = rewards([{"kind": "baseline"}, evaluation(-3, "rejected"), evaluation(0.2), evaluation(0.1)])
    assert found == [(1, None), (2, 0.2), (3, 0.2)]
    assert (course.evaluations, course.ok, course.best.number) == (3, 2, 2)
    told = course.as_plain()["improvement"]
    assert told["first"] is None
    assert told["after_3"] == told["best"] > 1.2


def test_iterations_are_as_an_agent_says():
    found, course = rewards(
        [evaluation(0.1), note(1), evaluation(0.2), evaluation(0.3), note(2), note(3), evaluation(0.2)]
    )
    assert found == [(1, 0.1), (3, 0.3), (3, 0.3), (4, 0.3)]
    assert course.best.number == 2


def test_a_search_without_an_evaluation():
    found, course = rewards([{"kind": "baseline"}])
    assert found == []
    assert course.as_plain()["improvement"] == {"first": None, "after_3": None, "best": None}


def call(ledger, role, usd, model="openai/gpt-5"):
    entry = CallEntry(
        call=0,
        role=role,
        model=model,
        request_sha256="0",
        attempt=1,
        outcome="ok",
        counted_tokens=100,
        prompt_tokens=1000,
        completion_tokens=200,
        usd=usd,
        source="usage",
    )
    ledger.end(ledger.begin(entry))


def shown(table):
    target = io.StringIO()
    Console(file=target, width=120).print(table)
    return target.getvalue()


def test_cost_is_told_by_role_and_for_each_policy(tmp_path):
    assert cost_of(open_run(tmp_path).calls) is None
    (tmp_path / LLM).mkdir()
    ledger = CallLedger(tmp_path / LLM / "ledger.jsonl")
    call(ledger, "planning", 0.25)
    call(ledger, "planning", 0.25)
    call(ledger, "execution", 0.5)
    cost = cost_of(open_run(tmp_path).calls)
    course = course_of([evaluation(0.1), evaluation(0.2), evaluation(-3, "ejected")], 1.0, "", cost)
    assert course.per_policy() == {"tokens": 1800, "usd": 0.5, "llm_host_s": 0}
    plain = course.as_plain()["cost"]
    assert (plain["models"], plain["calls"], plain["tokens"], plain["usd"]) == (["openai/gpt-5"], 3, 3600, 1.0)
    assert plain["by_role"]["planning"]["calls"] == 2
    text = shown(cost_table(cost, course))
    assert "openai/gpt-5: language model" in text
    assert [line.split() for line in text.splitlines() if "planning" in line] == [
        ["planning", "2", "2,000", "400", "0.5000"]
    ]
    assert "per policy that ran to its end (2): 1,800 tokens and $0.5000" in text


def test_an_unknown_price_is_not_a_price_of_nothing(tmp_path):
    (tmp_path / LLM).mkdir()
    call(CallLedger(tmp_path / LLM / "ledger.jsonl"), "solo", None)
    cost = cost_of(open_run(tmp_path).calls)
    course = course_of([evaluation(0.1)], 1.0, "", cost)
    assert course.per_policy()["usd"] is None
    text = shown(cost_table(cost, course))
    assert "unknown" in text
    assert "$" not in text


def test_the_display_says_what_the_agent_is_at():
    target = io.StringIO()
    with Display("a on b", Ledger(Budget(evaluations=2)), Console(file=target, width=80)) as display:
        display.phase("planning:\nsearches [bold]")
    assert target.getvalue() == "planning: searches [bold]\n"
