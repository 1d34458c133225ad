"""What every agent of ``baselines/`` has to keep to, whichever are there: nothing but its config makes one known."""

import ast
import inspect
import json
import re

import hydra
import pandas as pd
import pytest
import yaml
from omegaconf import OmegaConf

from schedcp_gym.baselines import agent_names, agent_summary
from schedcp_gym.baselines.agent import Agent
from schedcp_gym.envs.base import SchedEnv
from schedcp_gym.envs.registration import KINDS
from schedcp_gym.paths import CONFIGS, PACKAGE
from schedcp_gym.run.app import main
from schedcp_gym.run.costs import read_costs
from schedcp_gym.run.folder import open_run
from schedcp_gym.run.record import Record
from schedcp_gym.spec import REWARD_LIMIT

EVALUATIONS = 3
#: Where an agent has such a setting: a full verification and a deployment take a minute, and are tested elsewhere.
QUICK = {
    "full_verifications": 0,
    "tools": "[describe_workload,analyze_workload,search_repository,get_policy,measure_policy,record_learning]",
}
#: Of a kind of action, one that stands for no policy that could be loaded.
BROKEN = {"Tune": {"policy": -1, "tunables": {}}, "TuneFlat": "no vector", "Synth": {"source": "int x = ;"}}
#: What an agent must not reach for: it sees environment, tools and model.
BEHIND = ("schedcp_gym.control", "schedcp_gym.machine", "schedcp_gym.lab", "schedcp_gym.run", "schedcp_gym.cli")


def config_of(name):
    return CONFIGS / "agent" / f"{name}.yaml"


def make(name) -> Agent:
    """The agent of a config, as the runner makes it."""
    return hydra.utils.instantiate(OmegaConf.load(config_of(name)))


@pytest.fixture
def first_action_is_broken(monkeypatch):
    """Whatever an agent does first is a policy that can't be loaded."""
    step = SchedEnv.step

    def broken_once(self, action):
        kind = next(kind for kind, entry in KINDS.items() if entry.endswith(f":{type(self).__name__}"))
        return step(self, action if self._steps else BROKEN[kind])

    monkeypatch.setattr(SchedEnv, "step", broken_once)


def run(name, folder):
    """Runs an agent from the command line's beginning to its end; its record, without what depends on the host."""
    words = ["workload=schbench", f"budget.evaluations={EVALUATIONS}", "heldout.seeds=3", "seed=11", "llm=offline"]
    known = yaml.safe_load(config_of(name).read_text())
    words += [f"agent.{key}={value}" for key, value in QUICK.items() if key in known]
    assert main([f"+agent={name}", *words, f"run.dir={folder}"]) == 0
    return [{**entry, "host": None} for entry in Record(folder).old]


def test_the_first_agents_are_there():
    assert {"eevdf", "random_search", "naive_agent", "best_of_n", "single_agent", "evolution"} <= set(agent_names())


@pytest.mark.parametrize("name", agent_names())
def test_an_agent_has_a_class_and_words(name):
    agent = make(name)
    assert isinstance(agent, Agent)
    assert agent.action in KINDS
    assert agent.action == "Synth" or not agent.uses_tools
    assert 20 < len(agent_summary(name)) < 100
    assert len(inspect.cleandoc(type(agent).__doc__ or "")) > 60


@pytest.mark.parametrize("name", agent_names())
def test_a_config_says_all_that_can_be_set_and_what_it_is(name):
    text = config_of(name).read_text()
    keys = set(yaml.safe_load(text)) - {"_target_"}
    assert keys == set(inspect.signature(type(make(name))).parameters)
    for key in keys:
        assert re.search(rf"^{key}:.*#|^# .*\n{key}:", text, re.MULTILINE), f"{key} has no comment"


@pytest.mark.parametrize("path", sorted((PACKAGE / "baselines").rglob("*.py")), ids=lambda path: path.stem)
def test_an_agent_sees_nothing_behind_the_environment(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not [name for name in names if name.startswith(BEHIND)]


@pytest.mark.guest
@pytest.mark.parametrize("name", agent_names())
def test_an_agent_is_a_function_of_its_seed_and_survives_a_rejected_policy(name, tmp_path, first_action_is_broken):
    for package in make(name).packages:
        pytest.importorskip(package, reason=f"{name} needs {package}, which an extra installs: make test-rl")
    first, again = run(name, tmp_path / "first"), run(name, tmp_path / "again")
    assert first == again
    evaluations = [entry for entry in first if entry["kind"] == "evaluation"]
    assert first[0]["kind"] == "baseline"
    assert 2 <= len(evaluations) <= EVALUATIONS
    assert (evaluations[0]["outcome"], evaluations[0]["reward"]) == ("rejected", -REWARD_LIMIT)
    assert all(entry["source_sha256"] or entry["policy"] in ("eevdf", "-") for entry in evaluations)
    assert {entry["kind"] for entry in first} <= {"baseline", "evaluation", "note", "heldout"}
    json.dumps(first, allow_nan=False)
    assert len(pd.read_csv(tmp_path / "first" / "summary.csv")) == len(evaluations)
    costs = read_costs(open_run(tmp_path / "first"))
    assert costs.evaluations == len(evaluations)
    assert bool(costs.calls) == make(name).uses_llm
