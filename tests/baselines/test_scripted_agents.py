"""Agents that use a language model, with a model whose answers are scripted and a kernel that is real."""

import json

import gymnasium as gym
import pytest
from llm.fake_server import MODEL, FakeServer, answer, config_of

from schedcp_gym.baselines.agent import Assignment
from schedcp_gym.baselines.best_of_n.agent import BestOfN
from schedcp_gym.baselines.naive_agent.agent import NaiveAgent
from schedcp_gym.baselines.single_agent.agent import SingleAgent
from schedcp_gym.envs import env_id
from schedcp_gym.envs.wrappers import Budget, Budgeted, BudgetSpent, Ledger, Recorded
from schedcp_gym.lab.catalogue import load_policy
from schedcp_gym.llm import Client, LlmBudget, LlmBudgetSpent
from schedcp_gym.run.search import Run
from schedcp_gym.run.settings import read_settings
from schedcp_gym.spec import BadInput

FIFO = load_policy("fifo").source
BROKEN = "int x = ;"


class Search:
    """An agent's search on schbench: what it asked, what it measured, what it noted, how it ended."""

    def __init__(self, agent, turns, folder, evaluations, llm_budget=None):
        self.measured, self.notes, self.ended = [], [], None
        self.ledger = Ledger(Budget(evaluations=evaluations))
        task = gym.make(env_id("schbench", "Synth"), max_steps=8, disable_env_checker=True).unwrapped
        env = Budgeted(Recorded(task, lambda entry, policy: self.measured.append(entry)), self.ledger)
        with FakeServer(*turns) as server:
            client = Client(config_of(server, max_tokens=8000), folder, llm_budget)
            try:
                agent.run(Assignment(env, 3, self.ledger, self.notes.append, client))
            except (BudgetSpent, LlmBudgetSpent) as spent:
                self.ended = type(spent)
            self.asked = [seen.body["messages"] for seen in server.seen]
            self.unused = len(server.turns)

    @property
    def outcomes(self):
        return [entry["outcome"] for entry in self.measured if entry["kind"] == "evaluation"]


def written(source, **more):
    return answer(json.dumps({"source": source, **more}))


@pytest.mark.guest
def test_naive_agent_sees_error_lines_and_nothing_else(tmp_path):
    turns = [answer("I would rather not."), answer("No."), written(BROKEN), written(FIFO), written(FIFO)]
    search = Search(NaiveAgent(), turns, tmp_path, 3)
    assert search.outcomes == ["rejected", "ok", "ok"]
    assert search.ended is BudgetSpent
    assert search.unused == 0
    first, _repair, after_refusal, after_error, second_attempt = search.asked
    assert [message["role"] for message in first] == ["system", "user"]
    assert "cpu_s_by_process" not in json.dumps(first)
    assert "schedcp/" not in json.dumps(first)
    assert "not valid JSON" in after_refusal[-1]["content"]
    assert "policy.bpf.c:1:9: error: expected expression" in after_error[-1]["content"]
    assert json.loads(after_error[-2]["content"]) == {"source": BROKEN}
    assert second_attempt == first
    assert [(note["attempt"], note["round"], note["outcome"]) for note in search.notes] == [
        (1, 1, "malformed"),
        (1, 2, "ok"),
        (1, 3, "ok"),
        (2, 1, "ok"),
    ]


@pytest.mark.guest
def test_naive_agent_gives_up_a_model_that_writes_nothing(tmp_path):
    search = Search(NaiveAgent(rounds=2), [answer(f"no {n}") for n in range(12)], tmp_path, 3)
    assert (search.outcomes, search.ended, search.unused) == ([], None, 0)  # 3 attempts, 2 rounds, each with a repair


@pytest.mark.guest
def test_best_of_n_asks_the_same_and_measures_all(tmp_path):
    turns = [written(FIFO), written(BROKEN), answer("no"), answer("no"), written(FIFO, tunables={"slice_us": 900})]
    turns += [written(FIFO, tunables={"slise_us": 1})]
    search = Search(BestOfN(example=None), turns, tmp_path, 4)
    assert search.outcomes == ["ok", "rejected", "ok", "rejected"]
    assert search.ended is BudgetSpent
    assert [entry["tunables"] for entry in search.measured[1:]] == [{}, {}, {"slice_us": 900}, {}]
    questions = [asked for asked in search.asked if len(asked) == 2]
    assert len(questions) == 5
    assert all(asked == questions[0] for asked in questions)
    assert "cpu_s_by_process" in questions[0][1]["content"]


@pytest.mark.guest
def test_best_of_n_measures_what_it_has_paid_for(tmp_path):
    turns = [written(FIFO), written(FIFO, tunables={"slice_us": 900})]
    search = Search(BestOfN(example=None), turns, tmp_path, 6, LlmBudget(calls=2))
    assert search.outcomes == ["ok", "ok"]
    assert search.ended is LlmBudgetSpent


@pytest.mark.guest
def test_single_agent_goes_on_until_it_stops_twice(tmp_path):
    def measure(**arguments):
        return answer(calls=[("measure_policy", json.dumps({"workload": "schbench", **arguments}))])

    turns = [measure(policy="fifo"), answer("Good."), measure(policy="nothing"), answer("Ha", finish="length")]
    turns += [measure(source=BROKEN), answer("Enough."), answer("Enough."), answer("Enough.")]
    with FakeServer(*turns) as server:
        settings = {
            "workload": {"name": "schbench"},
            "machine": {},
            "heldout": {},
            "budget": {"evaluations": 9},
            "llm": {"model": f"openai/{MODEL}", "api_base": server.url, "max_tokens": 1000},
        }
        run = Run(read_settings(settings), SingleAgent(tools=["measure_policy"]), "single_agent", tmp_path)
        run.search()
        asked = [seen.body["messages"] for seen in server.seen]
        assert server.turns == []
    assert [entry["outcome"] for entry in run.record.evaluations] == ["ok", "rejected"]
    told = [messages[-1]["content"] for messages in asked]
    assert "evaluations left: 8" in told[1]
    assert "evaluations_left: 8" in told[2]
    assert told[3].startswith("error: ")
    assert "cut off at its limit" in told[4]
    assert "expected expression" in told[5]
    assert all([seen["role"] for seen in messages[:2]] == ["system", "user"] for messages in asked)


@pytest.mark.parametrize(
    "make", [lambda: NaiveAgent(rounds=0), lambda: BestOfN(samples=0), lambda: SingleAgent(rounds=0)]
)
def test_settings_that_make_no_sense(make):
    with pytest.raises(BadInput):
        make()
