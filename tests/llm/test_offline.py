"""The offline stand-in through litellm and the client: with the roles of sched_agent, alone, and without tools."""

import json
import math
from pathlib import Path

import pytest
from pydantic import BaseModel, TypeAdapter

from schedcp_gym.baselines.sched_agent import messages as roles
from schedcp_gym.baselines.sched_agent.execution import Execution
from schedcp_gym.baselines.sched_agent.learning import Learning
from schedcp_gym.baselines.sched_agent.observation import Observation
from schedcp_gym.baselines.sched_agent.planning import Planning
from schedcp_gym.lab import catalogue
from schedcp_gym.llm import Client, LlmConfig, Tool, read_ledger, run_tools, system, user
from schedcp_gym.llm.providers import Prompt
from schedcp_gym.llm.providers.offline import PROVIDER

SAID = Path(__file__).with_name("offline")
ROLES = {"observation": Observation, "planning": Planning, "execution": Execution, "learning": Learning}
#: Arguments of the tools, as far as the rules send them.
ARGUMENTS = {
    "describe_workload": ["workload"],
    "analyze_workload": ["workload", "policy"],
    "search_repository": ["query", "kind", "limit"],
    "get_policy": ["policy"],
    "get_primitive": ["name"],
    "submit_policy": ["policy", "source", "edits", "tunables", "stages"],
    "measure_policy": ["workload", "policy", "source", "tunables"],
    "deploy_policy": ["workload", "token", "policy", "tunables"],
    "get_feedback": ["workload", "policy", "tunables"],
    "record_learning": ["title", "text", "policy", "worked", "workload_classes"],
    "add_policy": ["name", "policy", "tunables", "parents", "workloads"],
}


class Said:
    """Tools that answer with what the real ones once said; what is measured follows from a formula."""

    def __init__(self, summary="longtail", reward=None):
        self.summary = summary
        self.reward = reward or (lambda policy, _tunables: {"ljf": 0.28, "layers": 0.29}.get(policy, 0.01))
        self.calls = []
        self.refusals = 0

    def tools(self, names=None):
        known = [name for name in names or ARGUMENTS if name in ARGUMENTS]
        return [
            Tool(name, "", {"type": "object", "properties": {each: {} for each in ARGUMENTS[name]}}) for name in known
        ]

    def execute(self, call):
        self.calls.append((call.name, call.arguments))
        return getattr(self, call.name)(**call.arguments)

    def names(self):
        return [name for name, _ in self.calls]

    def describe_workload(self, workload):
        return f"{workload}: as described"

    def analyze_workload(self, workload, policy=None):
        return (SAID / f"summary-{self.summary}.txt").read_text()

    def search_repository(self, query, kind="policy", limit=5):
        return (SAID / f"search-{1 if 'one long job' in query else 2}.txt").read_text()

    def get_policy(self, policy):
        path = SAID / f"policy-{policy}.txt"
        return path.read_text() if path.exists() else f"error: there is no policy {policy!r}"

    def get_primitive(self, name):
        return f"{name}: as it is"

    def submit_policy(self, policy=None, source=None, edits=(), tunables=None, stages="quick"):
        if self.refusals:
            self.refusals -= 1
            return "draft-0: caught at source\nsource: FAILED: p.bpf.c:1:1: error: something no rule can mend"
        name = policy if stages == "full" else f"draft-{len(self.calls)}"
        token = "token: scp1.abc" if stages == "full" else "no token yet"
        return f"{name}: passed\nsource: passed: compiled\n{token}"

    def measure_policy(self, workload, policy=None, source=None, tunables=None):
        reward = self.reward(policy, tunables or {})
        return f"{policy} on {workload}: {math.exp(reward):.3f}x EEVDF (reward {reward:+.3f}: log of the ratio)"

    def deploy_policy(self, workload, token, policy, tunables=None):
        assert token == "scp1.abc"
        return f"deployment-1: {policy} on {workload}: kept"

    def get_feedback(self, workload, policy, tunables=None):
        return "makespan_s: 2.6 -> 1.94 s (less is better): 1.34x EEVDF."

    def record_learning(self, **_):
        return "noted"

    def add_policy(self, **_):
        return "added"


@pytest.fixture
def client(tmp_path):
    return Client(LlmConfig("offline/rules", seed=1), tmp_path / "llm")


def ask(client, said, role, task, answer):
    block = json.dumps({type(task).__name__: TypeAdapter(type(task)).dump_python(task, mode="json")}, indent=1)
    start = [system(f"You are {role}."), user(f"```json\n{block}\n```")]
    talk = run_tools(client, role, start, said.tools(ROLES[role].tools), said.execute, answer=answer)
    assert talk.reply.ok, talk.reply.problem
    assert not talk.out_of_rounds
    return talk.reply.answer


def goal(metric="makespan_s"):
    return roles.Goal(metric=metric, direction="minimize", unit="s", weight=1.0, eevdf=2.69)


TARGET = roles.Target(workload="w", cpus=2, goals=(goal(),))


def left(**values):
    fields = {"rounds": 3, "evaluations": 12, "candidates": 3, "full_verifications": 2, "repairs": 1}
    return roles.Left(**{**fields, **values})


def tried(policy, tunables, improvement):
    return roles.Tried(
        round=1, candidate=f"{policy}-1", policy=policy, tunables=tunables, outcome="ok", improvement=improvement
    )


def profile_of(client, said):
    return ask(client, said, "observation", roles.ObservationTask(TARGET), roles.WorkloadProfile)


def plan_of(client, said, **more):
    task = roles.PlanningTask(target=TARGET, profile=profile_of(client, said), left=left(), **more)
    return ask(client, said, "planning", task, roles.Plan)


def test_a_round_of_the_roles(client):
    said = Said()
    profile = profile_of(client, said)
    assert profile.workload_class == "batch"
    assert profile.processes[0].name == "lichen-8176"
    assert said.names() == ["describe_workload", "analyze_workload"]

    plan = plan_of(client, said)
    assert [(one.policy, one.way) for one in plan.candidates[:2]] == [("ljf", "configure"), ("layers", "configure")]
    assert plan.candidates[0].tunables["favour"] == "lichen-8176"

    said.calls.clear()
    report = ask(
        client, said, "execution", roles.ExecutionTask(target=TARGET, plan=plan, left=left()), roles.ExecutionReport
    )
    assert {one.result for one in report.attempts} == {"measured"}
    # Measured side by side, then the best of them verified and deployed.
    assert said.names() == ["measure_policy"] * len(plan.candidates) + ["submit_policy", "deploy_policy"]
    assert said.calls[-1][1]["policy"] == "layers"
    assert report.deployed == plan.candidates[1].name

    now = (tried("ljf", plan.candidates[0].tunables, 1.32), tried("layers", plan.candidates[1].tunables, 1.34))
    task = roles.LearningTask(target=TARGET, profile=profile, plan=plan, report=report, tried=now)
    lessons = ask(client, said, "learning", task, roles.Lessons)
    assert lessons.lessons[0].policy == "layers"
    assert lessons.lessons[0].worked
    assert {"get_feedback", "record_learning"} <= set(said.names())
    # Names change with the data: none is in what is kept.
    assert "lichen" not in json.dumps([kept for name, kept in said.calls if name == "record_learning"])


def test_the_next_plan_goes_on_from_the_best(client):
    said = Said()
    first = {"favour": "lichen-8176"}
    plan = plan_of(client, said, history=(tried("ljf", first, 1.2), tried("layers", {}, 1.01)))
    steps = [one for one in plan.candidates if one.policy == "ljf"]
    assert steps
    for step in steps:
        assert step.tunables["favour"] == "lichen-8176"
        assert len(step.tunables) == 2
    assert any(one.way != "configure" for one in plan.candidates)


def test_a_draft_that_can_not_be_mended_is_left_out(client):
    said = Said()
    candidate = roles.Candidate(name="new-1", way="compose", why="w", change="one line in order of arrival")
    said.refusals = 9
    task = roles.ExecutionTask(target=TARGET, plan=roles.Plan("r", (candidate,)), left=left())
    report = ask(client, said, "execution", task, roles.ExecutionReport)
    assert [one.result for one in report.attempts] == ["refused"]
    assert report.deployed == ""
    plan = plan_of(client, Said(), remarks="woken-first-3 was refused.", history=(tried("ljf", {}, 1.0),) * 2)
    assert not any(one.name.startswith("woken-first") for one in plan.candidates)


def test_a_patch_is_sent_as_edits(client):
    said = Said()
    from schedcp_gym.llm.providers._offline import ruleset

    change = " ".join(ruleset.load("patches")["patches"][0]["change"].split())
    candidate = roles.Candidate(name="p-1", way="patch", why="w", policy="ljf", change=change)
    task = roles.ExecutionTask(target=TARGET, plan=roles.Plan("r", (candidate,)), left=left())
    report = ask(client, said, "execution", task, roles.ExecutionReport)
    sent = next(arguments for name, arguments in said.calls if name == "submit_policy")
    assert sent["policy"] == "ljf"
    assert len(sent["edits"]) >= 2
    assert "source" not in sent
    assert report.attempts[0].result == "measured"


def test_without_a_repository_it_composes(client):
    task = roles.PlanningTask(target=TARGET, profile=profile_of(client, Said()), left=left())
    block = json.dumps({"PlanningTask": TypeAdapter(roles.PlanningTask).dump_python(task, mode="json")})
    reply = client.chat("planning", [user(f"```json\n{block}\n```")], answer=roles.Plan)
    assert {one.way for one in reply.answer.candidates} == {"compose"}


def test_alone_it_searches_measures_and_ends(client):
    best = {"ljf": 0.2, "layers": 0.1}

    def reward(policy, tunables):
        return best.get(policy, 0.0) + 0.05 * (tunables.get("slice_us", 20000) > 20000)

    said = Said(reward=reward)
    block = json.dumps(
        {"task": {"workload": "w", "objective": {"weights": {"makespan_s": 1}}}, "budget": {"evaluations_left": 8}}
    )
    talk = run_tools(client, "alone", [user(f"```json\n{block}\n```")], said.tools(), said.execute, max_rounds=60)
    assert talk.reply.ok
    assert "ljf" in talk.reply.text
    measured = [arguments for name, arguments in said.calls if name == "measure_policy"]
    assert 4 <= len(measured) <= 8
    keys = [json.dumps(one, sort_keys=True) for one in measured]
    assert len(set(keys)) == len(keys)
    assert any(one["policy"] == "ljf" and one["tunables"].get("slice_us", 0) > 20000 for one in measured)
    assert said.names()[-1] == "record_learning"


class Source(BaseModel):
    source: str


class Sample(BaseModel):
    source: str
    tunables: dict[str, int | bool | str]
    reason: str


TASK = {
    "task": {
        "workload": "w",
        "objective": {"weights": {"makespan_s": 1.0}},
        "cpu_s_by_process": {"a-1": 3.0, "a-2": 0.2, "a-3": 0.2, "a-4": 0.2, "(9 others)": 0.3},
    }
}


def naive(text="Include <scx/common.bpf.h>; tunables are declared with <schedcp/tunable.bpf.h>."):
    return [user(f"Write a scheduler in eBPF for this workload. {text}\n```json\n{json.dumps(TASK)}\n```")]


def test_a_source_without_tools(client):
    reply = client.chat("naive", naive(), answer=Source)
    assert reply.answer.source.startswith("// SPDX")
    # No header is used that the prompt does not tell of.
    assert "schedcp/helpers.bpf.h" not in reply.answer.source
    assert catalogue.tunables_of(reply.answer.source)


def test_free_text_has_a_block_of_code(client):
    reply = client.chat("naive", naive())
    assert "```c\n// SPDX" in reply.text


def test_a_compiler_is_answered(client):
    broken = '#include <scx/common.bpf.h>\nTUNABLE(u64, slice_us, 20000, "us", 100, 1000000, log, "A turn.");\n'
    talk = [*naive(), {"role": "assistant", "content": json.dumps({"source": broken})}]
    told = "rejected: p.bpf.c:2:9: error: call to undeclared function 'TUNABLE'"
    reply = client.chat("naive", [*talk, user(f"```\n{told}\n```\nWrite the file again, whole.")], answer=Source)
    assert reply.answer.source == broken.replace("bpf.h>\n", "bpf.h>\n#include <schedcp/tunable.bpf.h>\n", 1)
    # What no rule can mend: another policy.
    lost = [*talk, user("```\nerror: nothing that is known\n```\nWrite the file again, whole.")]
    assert "SCX_OPS_DEFINE" in client.chat("naive", lost, answer=Source).answer.source


def test_samples_differ(client):
    samples = [client.chat("best_of_n", naive(), answer=Sample, sample=number).answer for number in range(4)]
    assert len({(one.source, json.dumps(one.tunables)) for one in samples}) == 4
    assert any(one.tunables.get("favour") == "a-1" for one in samples)


def test_the_same_prompt_has_the_same_answer_at_once(client, tmp_path):
    again = Client(client.config, tmp_path / "again")
    assert again.chat("naive", naive(), answer=Sample).text == client.chat("naive", naive(), answer=Sample).text
    assert client.shown_model == "offline-rules"
    assert not client.is_language_model
    assert read_ledger(tmp_path / "again" / "ledger.jsonl")[0].usd == 0.0


def test_any_prompt_has_an_answer():
    for text in ("", "hello", "```json\n[1]\n```", "{" * 50, '{"PlanningTask": {}}', '{"task": {"objective": 3}}'):
        assert PROVIDER.answer(Prompt("rules", [user(text)], [], False, 0, None)).text
    tool = {"type": "function", "function": {"name": "anything", "parameters": {"type": "object"}}}
    assert PROVIDER.answer(Prompt("rules", [user("go")], [tool], True, 0, 7)).calls[0][0] == "anything"
    schema = json.dumps({"properties": {"verdict": {"type": "string"}}, "required": ["verdict"]})
    told = PROVIDER.answer(Prompt("rules", [system(schema), user("judge")], [], False, 0, 7))
    assert json.loads(told.text) == {"verdict": ""}
