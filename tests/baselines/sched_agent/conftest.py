"""A run of the agent without a machine: scripted answers over real HTTP, and tools whose answers a test sets."""

import json
from types import SimpleNamespace

import gymnasium as gym
import hydra
import pytest
from llm.conftest import client_of, no_keys, serve, warm_litellm  # noqa: F401 (fixtures)
from llm.fake_server import answer
from omegaconf import OmegaConf

from schedcp_gym.baselines.agent import Assignment
from schedcp_gym.baselines.toolbox import Toolbox
from schedcp_gym.envs import env_id
from schedcp_gym.envs.wrappers import Budget, Ledger
from schedcp_gym.llm import Tool, ToolResult
from schedcp_gym.paths import CONFIGS
from schedcp_gym.spec import Measurement, Outcome

TOOLS = (
    *("describe_workload", "analyze_workload", "profile_workload", "search_repository", "get_policy"),
    *("submit_policy", "measure_policy", "deploy_policy", "get_feedback", "record_learning", "add_policy"),
)


class Tools:
    """Answers calls; how good each policy is, and which pass the verifier, is set by the test."""

    def __init__(self, improvements, unsafe=(), spent=lambda: None):
        self.improvements = improvements
        self.unsafe = unsafe
        self.made = []
        self.prepared = []
        self.spent = spent

    def tools(self):
        return [Tool(name, f"Does {name}.", {"type": "object", "properties": {}}) for name in TOOLS]

    def call(self, name, arguments):
        self.made.append((name, dict(arguments)))
        if name == "measure_policy":
            return self._measure(arguments)
        if name == "submit_policy":
            return self._submit(arguments)
        if name == "deploy_policy":
            return ToolResult({"state": "kept"}, "deployed to all")
        return ToolResult({}, f"answer of {name}")

    def _submit(self, arguments):
        policy = arguments.get("policy") or "draft-1"
        if policy in self.unsafe:
            stages = [{"stage": "behaviour", "passed": False, "summary": "starves"}]
            failed = {"passed": False, "caught_at": "behaviour", "policy": policy, "stages": stages}
            return ToolResult(failed, "behaviour: starves")
        return ToolResult({"passed": True, "policy": policy, "token": f"token of {policy}"}, "passed")

    def prepare(self, calls):
        self.prepared.append([name for name, _ in calls])

    def _measure(self, arguments):
        gained = self.improvements[arguments["policy"]]
        evaluation = self.spent()
        ok = {"outcome": "ok", "message": "", "improvement": gained, "metrics_vs_eevdf": {"makespan_s": gained}}
        failed = {"outcome": "rejected", "message": "line 3: no such queue", "improvement": 0.05}
        found = {"policy": arguments["policy"], "tunables": arguments.get("tunables") or {}, "workload_seed": 1}
        found["evaluation"] = evaluation
        return ToolResult({**found, **(ok if gained else failed)}, f"{gained} times")


@pytest.fixture
def run_agent(serve, client_of):  # noqa: F811
    """Runs the agent with scripted answers; gives what it noted, which tools it called, and what the server saw."""

    def run(turns, improvements, *, unsafe=(), evaluations=12, **settings):
        server, ledger, notes = serve(*turns), Ledger(Budget(evaluations=evaluations)), []
        task = gym.make(env_id("longtail", "Synth"), disable_env_checker=True).unwrapped
        metrics = dict.fromkeys(task.workload.metrics, 2.0)
        task.baseline = Measurement("t", Outcome.OK, metrics, cpu_s_by_name={"ember-1": 1.5, "short-1": 0.05})
        env = SimpleNamespace(reset=lambda seed: None, unwrapped=task)

        def spent():
            ledger.evaluations += 1
            return ledger.evaluations

        tools = Tools(improvements, unsafe, spent)
        toolbox = Toolbox(tools)
        agent = make(**settings)
        agent.run(Assignment(env, 1, ledger, notes.append, client_of(server), toolbox))
        return SimpleNamespace(
            notes=notes, made=tools.made, prepared=tools.prepared, seen=server.seen, left=server.turns
        )

    return run


def make(**settings):
    """The agent of the configuration, with some of it set otherwise."""
    config = OmegaConf.load(CONFIGS / "agent" / "sched_agent.yaml")
    return hydra.utils.instantiate(OmegaConf.merge(config, settings))


def calls(*made):
    """An answer that calls tools: (name, arguments) each."""
    return answer(calls=[(name, json.dumps(arguments)) for name, arguments in made])


def says(**fields):
    """A structured answer."""
    return answer(json.dumps(fields))
