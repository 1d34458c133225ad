"""The offline stand-in through the client: the roles of sched_agent, one agent alone, and agents without tools.

The tools here return data of the real tools' form, and a text without meaning: all decisions follow from the data.
"""

import json
import math
import re
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from schedcp_gym.baselines.best_of_n.agent import Sample
from schedcp_gym.baselines.naive_agent.agent import SchedulerFile
from schedcp_gym.baselines.sched_agent import messages as roles
from schedcp_gym.baselines.sched_agent.execution import Execution
from schedcp_gym.baselines.sched_agent.learning import Learning
from schedcp_gym.baselines.sched_agent.observation import Observation
from schedcp_gym.baselines.sched_agent.planning import Planning
from schedcp_gym.lab import catalogue
from schedcp_gym.llm import Client, LlmConfig, Tool, ToolResult, read_ledger, run_tools, user
from schedcp_gym.llm.providers import _offline, provider_names
from schedcp_gym.llm.providers._offline import choice, facts
from schedcp_gym.llm.providers._offline.choice import Result
from schedcp_gym.spec import BadInput

RULES = Path(_offline.__file__).parent
ROLES = {"observation": Observation, "planning": Planning, "execution": Execution, "learning": Learning}
SLICE = {"name": "slice_us", "type": "u64", "default": 20000, "unit": "us", "low": 100, "high": 1000000, "log": True}
FAVOUR = {"name": "favour", "type": "text", "default": "", "unit": ""}
LIBRARY = {"ljf": [FAVOUR, SLICE], "layers": [SLICE], "fifo": [SLICE], "batch": []}
NOTHING = "(no words)"


def group(name, tasks=1, share=1.0, sleep=0.0, burst_p99_ms=1.0, outliers=()):
    """A group as analyze_workload returns it."""
    rates = {"run_share": 1 - sleep, "wait_share": 0.0, "sleep_share": sleep, "median_cpu_ms": 100.0}
    waits = {"burst_p50_ms": burst_p99_ms / 4, "burst_p99_ms": burst_p99_ms, "wait_p50_ms": 1.0, "wait_p99_ms": 9.0}
    about = {"label": name, "name": name, "kind": "process", "own_names": True, "tasks": tasks, "cpu_share": share}
    return {**about, **rates, **waits, "outliers": list(outliers)}


def outlier(name="lichen-8176", **more):
    return {"name": name, "cpu_ms": 1500.0, "times_median": 23.0, "cpu_share": 0.3, "is_named": True, **more}


LONG_JOB = [group("job", 40, outliers=[outlier()])]
WORKERS = [group("worker", 8, 0.96, sleep=0.06, burst_p99_ms=12.0)]
BESIDE_HOGS = [group("hog", 2, 0.9, burst_p99_ms=900.0), group("server", 2, 0.1, sleep=0.8)]


class Tools:
    """Tools whose data a test sets; what is measured follows from a function of policy and values."""

    def __init__(self, groups=LONG_JOB, workload_class="batch", rewards=None, library=LIBRARY):
        self.groups = groups
        self.workload_class = workload_class
        self.rewards = rewards or (lambda policy, _values: {"ljf": 0.28, "layers": 0.29}.get(policy, 0.01))
        self.library = library
        self.refuses = False
        self.calls = []

    def execute(self, call):
        self.calls.append((call.name, call.arguments))
        data = getattr(self, call.name)(**call.arguments)
        return ToolResult(data, NOTHING) if data is not None else ToolResult(text=NOTHING, is_error=True)

    @property
    def names(self):
        return [name for name, _ in self.calls]

    def offered(self, names):
        return [Tool(name, "", {"type": "object"}) for name in names if hasattr(self, name)]

    def describe_workload(self, workload):
        return {"workload": workload, "class": self.workload_class}

    def analyze_workload(self, workload):
        return {"workload": workload, "data": {"groups": self.groups}}

    def search_repository(self, query, limit):
        return {"hits": [{"kind": "policy", "name": name, "best": None} for name in self.library]}

    def get_policy(self, policy):
        return {"policy": policy, "tunables": self.library[policy]} if policy in self.library else None

    def submit_policy(self, policy=None, source=None, tunables=None, stages="quick"):
        if self.refuses:
            return {"policy": policy or "draft-1", "passed": False, "token": ""}
        return {"policy": policy or "draft-1", "passed": True, "token": "scp1.abc" if stages == "full" else ""}

    def measure_policy(self, workload, policy, tunables=None):
        reward = self.rewards(policy, tunables or {})
        measured = len([name for name in self.names if name == "measure_policy"])
        return {"policy": policy, "outcome": "ok", "reward": reward, "evaluations_left": 8 - measured}

    def deploy_policy(self, workload, token, policy, tunables=None):
        assert token == "scp1.abc"
        return {"state": "kept"}

    def get_feedback(self, **_):
        return {"changes": []}

    def record_learning(self, **_):
        return {"kind": "note"}

    def add_policy(self, **_):
        return {"new": True}


@pytest.fixture
def client(tmp_path):
    return Client(LlmConfig("offline/rules", seed=1), tmp_path / "llm")


def ask(client, tools, role, task, answer):
    block = {type(task).__name__: TypeAdapter(type(task)).dump_python(task, mode="json", exclude_defaults=True)}
    offered = tools.offered(ROLES[role].tools)
    talk = run_tools(client, role, [user(NOTHING, block)], offered, tools.execute, answer=answer)
    assert talk.reply.ok, talk.reply.problem
    assert not talk.out_of_rounds
    return talk.reply.answer


GOAL = roles.Goal(metric="makespan_s", direction="minimize", unit="s", weight=1.0, eevdf=2.69)
TARGET = roles.Target(workload="w", cpus=2, goals=(GOAL,))


def left(**values):
    fields = {"rounds": 3, "evaluations": 12, "candidates": 3, "full_verifications": 2, "repairs": 1}
    return roles.Left(**{**fields, **values})


def tried(policy, tunables, improvement):
    fields = {"round": 1, "candidate": f"{policy}-1", "outcome": "ok", "improvement": improvement}
    return roles.Tried(policy=policy, tunables=tunables, **fields)


def profile_of(client, tools):
    return ask(client, tools, "observation", roles.ObservationTask(TARGET), roles.WorkloadProfile)


def plan_of(client, tools, **more):
    task = roles.PlanningTask(target=TARGET, profile=profile_of(client, tools), left=left(), **more)
    return ask(client, tools, "planning", task, roles.Plan)


def test_a_round_of_the_roles(client):
    tools = Tools()
    profile = profile_of(client, tools)
    assert (profile.workload_class, profile.processes[0].name) == ("batch", "lichen-8176")
    assert tools.names == ["describe_workload", "analyze_workload"]

    plan = plan_of(client, tools)
    assert [(one.policy, one.way) for one in plan.candidates[:2]] == [("ljf", "configure"), ("layers", "configure")]
    assert plan.candidates[0].tunables["favour"] == "lichen-8176"

    tools.calls.clear()
    task = roles.ExecutionTask(target=TARGET, plan=plan, left=left())
    report = ask(client, tools, "execution", task, roles.ExecutionReport)
    assert {one.result for one in report.attempts} == {"measured"}
    assert tools.names == ["measure_policy"] * len(plan.candidates) + ["submit_policy", "deploy_policy"]
    assert tools.calls[-1][1]["policy"] == "layers"
    assert report.deployed == plan.candidates[1].name

    now = (tried("ljf", plan.candidates[0].tunables, 1.32), tried("layers", plan.candidates[1].tunables, 1.34))
    task = roles.LearningTask(target=TARGET, profile=profile, plan=plan, report=report, tried=now)
    lessons = ask(client, tools, "learning", task, roles.Lessons)
    assert (lessons.lessons[0].policy, lessons.lessons[0].worked, lessons.go_on) == ("layers", True, True)
    assert {"get_feedback", "record_learning"} <= set(tools.names)
    # Process names change with the seed, so none is recorded.
    assert "lichen" not in json.dumps([kept for name, kept in tools.calls if name == "record_learning"])


def test_the_next_plan_continues_from_the_best(client):
    first = {"favour": "lichen-8176"}
    plan = plan_of(client, Tools(), history=(tried("ljf", first, 1.2), tried("layers", {}, 1.01)))
    steps = [one for one in plan.candidates if one.policy == "ljf"]
    assert steps
    assert all(step.tunables["favour"] == "lichen-8176" and len(step.tunables) == 2 for step in steps)
    assert {one.policy for one in plan.candidates} - {"ljf", "layers"}


def test_a_policy_that_fails_verification_is_not_deployed(client):
    tools = Tools()
    tools.refuses = True
    plan = plan_of(client, tools)
    task = roles.ExecutionTask(target=TARGET, plan=plan, left=left(rounds=1))
    report = ask(client, tools, "execution", task, roles.ExecutionReport)
    assert report.deployed == ""
    full = [arguments["policy"] for name, arguments in tools.calls if name == "submit_policy"]
    assert full == ["layers", "ljf"]
    assert "deploy_policy" not in tools.names


def test_without_a_repository_it_writes_a_policy(client):
    tools = Tools()
    profile = profile_of(client, tools)
    block = {"target": {}, "profile": json.loads(TypeAdapter(roles.WorkloadProfile).dump_json(profile))}
    task = {"PlanningTask": {**block, "left": {"candidates": 3}}}
    plan = client.chat("planning", [user(NOTHING, task)], answer=roles.Plan).answer
    assert [one.way for one in plan.candidates] == ["compose"]
    task = roles.ExecutionTask(target=TARGET, plan=plan, left=left())
    report = ask(client, tools, "execution", task, roles.ExecutionReport)
    assert (report.attempts[0].result, report.attempts[0].policy) == ("measured", "draft-1")


def test_a_reached_bound_ends_the_search(client):
    goal = roles.Goal(**{**vars(GOAL), "best_possible": 2.0})
    target = roles.Target(workload="w", cpus=2, goals=(goal,))
    done = (tried("batch", {}, 2.69 / 2.0),)
    report, plan = roles.ExecutionReport(()), roles.Plan("r", ())
    task = roles.LearningTask(target, profile_of(client, Tools()), plan, report, done)
    lessons = ask(client, Tools(), "learning", task, roles.Lessons)
    assert not lessons.go_on
    assert "best possible" in lessons.why


def test_alone_it_searches_measures_and_ends(client):
    def rewards(policy, values):
        return {"ljf": 0.2, "layers": 0.1}.get(policy, 0.0) + 0.05 * (values.get("slice_us", 20000) > 20000)

    tools = Tools(rewards=rewards)
    names = [name for names in ROLES.values() for name in names.tools]
    task = user(NOTHING, {"task": {"workload": "w"}, "budget": {"evaluations_left": 8}})
    talk = run_tools(client, "single", [task], tools.offered(dict.fromkeys(names)), tools.execute, max_rounds=60)
    assert talk.reply.ok
    assert "ljf" in talk.reply.text
    measured = [arguments for name, arguments in tools.calls if name == "measure_policy"]
    assert 4 <= len(measured) <= 8
    assert len({json.dumps(one, sort_keys=True) for one in measured}) == len(measured)
    assert any(one["policy"] == "ljf" and one["tunables"].get("slice_us", 0) > 20000 for one in measured)
    assert tools.names[-3:] == ["submit_policy", "deploy_policy", "record_learning"]


@pytest.mark.parametrize(
    ("groups", "workload_class", "diagnosis"),
    [
        (LONG_JOB, "batch", "long-job-by-name"),
        ([group("cc", 40, outliers=[outlier(is_named=False)])], "batch", "like-jobs"),
        (WORKERS, "latency", "like-workers-in-one-go"),
        (BESIDE_HOGS, "mixed", "sleepers-beside-hogs"),
        ([], "latency", "late-wakeups"),
        ([], "batch", "unknown"),
    ],
)
def test_the_diagnosis_follows_from_data(groups, workload_class, diagnosis):
    known = facts.of_analysis({"groups": groups}, workload_class)
    assert facts.diagnoses(known)[0]["name"] == diagnosis


def test_turns_become_longer_than_a_burst():
    known = facts.of_analysis({"groups": WORKERS}, "latency")
    assert choice.first_values([{**SLICE, "default": 5000}], known) == {"slice_us": 24000}
    assert choice.first_values([{**SLICE, "default": 5000, "high": 10000}], known) == {"slice_us": 10000}
    assert choice.first_values([SLICE], known) == {"slice_us": 24000}


def test_steps_stay_in_range_and_repeat_nothing():
    share = {"name": "share", "type": "u32", "default": 95, "unit": "percent", "low": 5, "high": 95, "log": False}
    results = [Result("p", {}, 0.1)]
    for _ in range(30):
        step = next(choice.steps(results[0], [share], results), None)
        if step is None:
            break
        assert step.values not in [one.values for one in results]
        assert 5 <= step.values["share"] <= 95
        results.append(Result("p", step.values, 0.0))
    assert step is None
    assert len(results) == 3


CPU_S = {"a-1": 3.0, "a-2": 0.2, "a-3": 0.2, "a-4": 0.2, "(9 others)": 0.3}
TASK = user(NOTHING, {"task": {"workload": "w", "cpu_s_by_process": CPU_S}})


def test_samples_differ_and_are_sources(client):
    samples = [client.chat("sampler", [TASK], answer=Sample, sample=number).answer for number in range(4)]
    assert len({(one.source, json.dumps(one.tunables)) for one in samples}) == 4
    assert any(one.tunables.get("favour") == "a-1" for one in samples)
    for one in samples:
        assert {tunable.name for tunable in catalogue.tunables_of(one.source)} == {"favour", "slice_us"}
        assert catalogue.card_of(one.source).startswith("lines:")


def test_a_file_that_failed_is_written_again_in_another_way(client):
    first = client.chat("naive", [TASK], answer=SchedulerFile)
    again = client.chat("naive", [TASK, first.message, user(NOTHING)], answer=SchedulerFile)
    assert again.answer.source != first.answer.source


def test_the_same_prompt_has_the_same_answer(client, tmp_path):
    again = Client(client.config, tmp_path / "again")
    assert again.chat("sampler", [TASK], answer=Sample).text == client.chat("sampler", [TASK], answer=Sample).text
    assert client.shown_model == "offline-rules"
    assert not client.is_language_model
    assert read_ledger(tmp_path / "again" / "ledger.jsonl")[0].usd == 0.0


def test_a_role_without_rules_is_an_error(client):
    with pytest.raises(BadInput, match="no role 'judge', only observation, planning"):
        client.chat("judge", [TASK])


def test_the_package_is_no_provider():
    assert "offline" in provider_names()
    assert not any(name.startswith("_") for name in provider_names())


def test_no_rule_knows_a_workload_or_a_policy():
    rules = json.dumps(yaml.safe_load((RULES / "rules.yaml").read_text()))
    texts = "\n".join(path.read_text() for path in RULES.iterdir() if path.suffix in (".yaml", ".c", ".py")).lower()
    programs = {"redis", "gzip", "schbench", "cc1", "perl", "ffmpeg", "nginx", "stress-ng", "hackbench", "longtail"}
    names = {name for name in catalogue.workload_names() if "-" in name} | programs
    assert [name for name in sorted(names) if re.search(rf"\b{re.escape(name)}\b", texts)] == []
    policies = set(catalogue.policy_names()) - {"batch"}  # also the name of a class
    assert [name for name in sorted(policies) if re.search(rf"\b{name}\b", rules)] == []


def test_an_improvement_that_is_recorded_counts_more_than_the_place_in_a_search():
    hits = [{"kind": "policy", "name": name, "best": None} for name in ("a", "b")]
    hits.append({"kind": "policy", "name": "c", "best": {"improvement": math.e}})
    search = choice.PastCall("search_repository", {}, {"hits": hits})
    talk = choice.Conversation([], [search], [], frozenset(), 0, 0)
    assert choice.found(talk) == ["c", "a", "b"]
