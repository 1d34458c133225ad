"""The loop of the four roles: who is told what, who may call what, and what counts in the end."""

import json

import pytest

from sched_agent.conftest import calls, make, says
from schedcp_gym.spec import BadInput

PROFILE = says(workload="longtail", workload_class="batch", summary="One long job ends last.", goals=["start it first"])
REPORT = says(attempts=[{"candidate": "c1", "result": "measured"}])
STOP = says(lessons=[{"text": "Named first ends first.", "worked": True}], go_on=False, why="at the bound")
GO_ON = says(lessons=[{"text": "Named first ends first.", "worked": True}])


def candidate(name, policy, **tunables):
    return {"name": name, "way": "configure", "why": "fits", "policy": policy, "tunables": tunables}


def plan(*candidates):
    return says(reasoning="r", candidates=list(candidates))


def measure(policy, **tunables):
    return ("measure_policy", {"workload": "longtail", "policy": policy, "tunables": tunables})


def full(policy, **tunables):
    return calls(("submit_policy", {"policy": policy, "tunables": tunables, "stages": "full"}))


def deploy(policy, **tunables):
    arguments = {"workload": "longtail", "policy": policy, "tunables": tunables, "token": f"token of {policy}"}
    return calls(("deploy_policy", arguments))


def events(run, name):
    return [note for note in run.notes if note.get("event") == name]


def ended(run):
    return next(note["ended"] for note in run.notes if "ended" in note)


def chosen(run):
    return next(note["chosen"] for note in reversed(run.notes) if "chosen" in note)


def task_in(message):
    assert message["role"] == "user"
    return json.loads(message["content"].removeprefix("```json\n").removesuffix("\n```"))


def test_four_contexts_four_tool_lists_and_structured_messages_between(run_agent):
    run = run_agent(
        [
            calls(("analyze_workload", {"workload": "longtail"})),
            PROFILE,
            calls(("search_repository", {"query": "long job"})),
            plan(candidate("c1", "ljf", favour="ember-1"), candidate("c2", "fifo")),
            calls(measure("ljf", favour="ember-1"), measure("fifo")),
            full("ljf", favour="ember-1"),
            deploy("ljf", favour="ember-1"),
            REPORT,
            calls(("record_learning", {"title": "t", "text": "x", "worked": True})),
            STOP,
        ],
        {"ljf": 1.4, "fifo": 0.9},
    )
    assert not run.left
    asked = [seen.body for seen in run.seen]
    offered = [[tool["function"]["name"] for tool in body["tools"]] for body in asked]
    assert offered[0] == ["describe_workload", "analyze_workload", "profile_workload"]
    assert offered[2] == ["search_repository", "get_policy"]
    assert offered[4] == ["get_policy", "submit_policy", "measure_policy", "deploy_policy"]
    assert offered[8] == ["get_feedback", "record_learning", "add_policy"]
    # Each context begins with the role's own prompt and one task; nothing of another's conversation is in it.
    firsts = [asked[place]["messages"] for place in (0, 2, 4, 8)]
    assert [len(messages) for messages in firsts] == [2] * 4
    tasks = [task_in(messages[1]) for messages in firsts]
    assert [next(iter(task)) for task in tasks] == ["ObservationTask", "PlanningTask", "ExecutionTask", "LearningTask"]
    assert tasks[0]["ObservationTask"]["target"]["processes_cpu_s"] == {"ember-1": 1.5, "short-1": 0.05}
    assert tasks[1]["PlanningTask"]["profile"]["summary"] == "One long job ends last."
    assert tasks[2]["ExecutionTask"]["plan"]["candidates"][0]["tunables"] == {"favour": "ember-1"}
    tried = {one["policy"]: one for one in tasks[3]["LearningTask"]["tried"]}
    assert tried["ljf"] == {
        "round": 1,
        "candidate": "c1",
        "policy": "ljf",
        "tunables": {"favour": "ember-1"},
        "outcome": "ok",
        "improvement": 1.4,
        "metrics": {"makespan_s": 1.4},
        "verified": "passed",
        "deployed": True,
    }
    # What is measured in one answer may be measured side by side.
    assert run.prepared == [["measure_policy"] * 2]
    assert chosen(run) == {"evaluation": 1}
    assert [note["iteration"] for note in run.notes if "iteration" in note] == [1]
    assert ended(run) == "no gain is expected: at the bound"


def test_later_rounds_know_what_was_tried_and_learned(run_agent):
    run = run_agent(
        [
            PROFILE,
            plan(candidate("c1", "fifo")),
            calls(measure("fifo")),
            REPORT,
            GO_ON,
            plan(candidate("c2", "ljf")),
            calls(measure("ljf")),
            full("ljf"),
            deploy("ljf"),
            REPORT,
            STOP,
        ],
        {"fifo": 0.9, "ljf": 1.4},
    )
    assert not run.left
    second = task_in(run.seen[5].body["messages"][1])["PlanningTask"]
    assert [one["policy"] for one in second["history"]] == ["fifo"]
    assert second["lessons"]["lessons"][0]["text"] == "Named first ends first."
    # 12 evaluations in 3 rounds are 4 each; one is used, so 11 in 2 are 6.
    assert (second["left"]["rounds"], second["left"]["evaluations"], second["left"]["candidates"]) == (2, 11, 6)
    end = events(run, "end")[0]
    assert (end["first_improvement"], end["best_improvement_by_round"]) == (0.9, [0.9, 1.4])


def test_a_policy_that_fails_all_stages_is_not_deployed_the_next_best_is(run_agent):
    run = run_agent(
        [
            PROFILE,
            plan(candidate("c1", "ljf"), candidate("c2", "fifo")),
            calls(measure("ljf"), measure("fifo")),
            full("ljf"),
            full("fifo"),
            deploy("fifo"),
            REPORT,
            STOP,
        ],
        {"ljf": 1.4, "fifo": 1.2},
        unsafe=["ljf"],
    )
    assert chosen(run) == {"evaluation": 2}
    last = task_in(run.seen[-1].body["messages"][1])["LearningTask"]["tried"]
    assert [(one["policy"], one["verified"]) for one in last] == [("ljf", "failed"), ("fifo", "passed")]


def test_what_execution_left_undone_is_deployed_at_the_end(run_agent):
    turns = [PROFILE, plan(candidate("c1", "ljf")), calls(measure("ljf")), REPORT, STOP]
    run = run_agent(turns, {"ljf": 1.4})
    assert [name for name, _ in run.made] == ["measure_policy", "submit_policy", "deploy_policy"]
    assert run.made[-1][1]["token"] == "token of ljf"
    assert chosen(run) == {"evaluation": 1}


def test_nothing_is_chosen_where_nothing_is_better_and_safe(run_agent):
    turns = [PROFILE, plan(candidate("c1", "ljf"), candidate("c2", "fifo")), calls(measure("ljf"), measure("fifo"))]
    run = run_agent([*turns, REPORT, STOP], {"ljf": 1.4, "fifo": 1.01}, unsafe=["ljf"])
    assert chosen(run) is None


def test_what_is_not_allowed_is_answered_with_an_error_that_says_why(run_agent):
    run = run_agent(
        [
            PROFILE,
            plan(candidate("c1", "ljf")),
            full("ljf"),
            calls(measure("ljf"), measure("ljf")),
            calls(measure("fifo")),
            full("ljf"),
            full("ljf"),
            REPORT,
            STOP,
        ],
        {"ljf": 1.4, "fifo": 1.2},
        candidates=1,
        full_verifications=1,
    )
    told = [m["content"] for m in run.seen[7].body["messages"] if m["role"] == "tool"]
    assert told[0].startswith("error: stages=full is for measured policies")
    assert told[1] == "1.4 times"
    assert told[2].startswith("measured before")
    assert told[3].startswith("error: this round's evaluations are spent")
    assert told[4] == "passed"
    assert told[5].startswith("error: no full verification is left")
    assert [name for name, _ in run.made if name != "deploy_policy"] == ["measure_policy", "submit_policy"]


def test_a_deaf_model_ends_the_run_without_harm(run_agent):
    nonsense = says(nothing=1)
    # Each answer is repaired once; no profile and no plan: patience is at its end after two rounds.
    run = run_agent([nonsense] * 6, {})
    assert not run.left
    assert not run.made
    assert ended(run) == "no better policy in 2 rounds"
    assert chosen(run) is None


@pytest.mark.parametrize(
    ("settings", "role", "gone"),
    [
        ({"repository": False}, 1, {"search_repository", "get_policy"}),
        ({"analysis": False}, 0, {"analyze_workload", "profile_workload"}),
        ({"analysis": False}, 3, {"get_feedback"}),
    ],
)
def test_ablations_take_tools_away_and_say_so(run_agent, settings, role, gone):
    run = run_agent([PROFILE, plan(candidate("c1", "ljf")), REPORT, STOP], {"ljf": 1.4}, **settings)
    body = run.seen[role].body
    assert not gone & {tool["function"]["name"] for tool in body.get("tools", [])}
    assert next(iter(settings)) in body["messages"][0]["content"]


def test_without_verifier_feedback_only_pass_or_fail_is_told(run_agent):
    submit = calls(("submit_policy", {"policy": "ljf"}))
    turns = [PROFILE, plan(candidate("c1", "ljf")), submit, calls(measure("ljf")), REPORT, STOP]
    run = run_agent(turns, {"ljf": 0}, unsafe=["ljf"], verifier_feedback=False)
    told = [m["content"] for m in run.seen[4].body["messages"] if m["role"] == "tool"]
    assert told == ['{"passed": false, "policy": "ljf"}', "outcome: rejected"]


def test_without_learning_planning_sees_figures_and_no_lessons(run_agent):
    first = [PROFILE, plan(candidate("c1", "fifo")), calls(measure("fifo")), REPORT]
    run = run_agent([*first, says(reasoning="done", no_gain_expected=True)], {"fifo": 0.9}, learning=False)
    second = task_in(run.seen[-1].body["messages"][1])["PlanningTask"]
    assert "lessons" not in second
    assert second["history"][0]["improvement"] == 0.9
    assert ended(run) == "no gain is expected: done"


def test_merged_roles_share_a_conversation_and_their_tools(run_agent):
    turns = [PROFILE, plan(candidate("c1", "fifo")), calls(measure("fifo")), REPORT, STOP]
    run = run_agent(turns, {"fifo": 0.9}, merge=["observation", "planning"])
    planning = run.seen[1].body
    assert [message["role"] for message in planning["messages"]] == ["system", "user", "assistant", "user"]
    assert {"analyze_workload", "search_repository"} <= {tool["function"]["name"] for tool in planning["tools"]}
    assert [message["role"] for message in run.seen[2].body["messages"]] == ["system", "user"]


def test_a_role_can_have_a_model_of_its_own(serve, client_of):
    agent = make(roles={"planning": {"llm": {"model": "openai/other", "max_tokens": 99}}})
    client = client_of(serve())
    planning, learning = (agent._roles[name].client(client) for name in ("planning", "learning"))
    assert (planning.config.model, planning.config.max_tokens) == ("openai/other", 99)
    assert planning.config.api_base == client.config.api_base
    assert planning.books is client.books
    assert learning is client


def test_wrong_settings_are_told():
    with pytest.raises(Exception, match="there is no role 'observer'"):
        make(merge=["observer"])
    agent = make(roles={"planning": {"llm": {"model": "nonsense"}}})
    from schedcp_gym.llm import Client, LlmConfig

    with pytest.raises(BadInput, match=r"agent\.roles\.planning\.llm\.model"):
        agent._roles["planning"].client(Client(LlmConfig("openai/x"), __import__("pathlib").Path("/tmp/none")))


@pytest.mark.parametrize("number", ["x", -1, True])
def test_numbers_of_roles_are_checked(number):
    with pytest.raises(Exception, match=r"agent\.roles\.planning\.max_rounds takes a whole number from 1"):
        make(roles={"planning": {"max_rounds": number}})
