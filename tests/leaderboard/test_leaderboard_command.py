"""The command that an entry gives composes to the configuration that it was run with."""

import shlex
from types import SimpleNamespace

import pytest
import yaml
from hydra import compose
from omegaconf import OmegaConf

from schedcp_gym.lab import catalogue
from schedcp_gym.leaderboard.command import command
from schedcp_gym.run.configs import open_configs
from schedcp_gym.run.settings import read_settings

SAME = ("workload", "machine", "llm", "seed", "scale", "episode_steps", "objective", "budget", "heldout", "agent")


def composed(words):
    with open_configs():
        config = compose("config", words, return_hydra_config=True)
    plain = {name: OmegaConf.to_container(OmegaConf.create({"_": config[name]}))["_"] for name in SAME}
    plain |= {name: OmegaConf.to_container(config[name], resolve=True) for name in ("llm",)}
    plain["run"] = OmegaConf.to_container(config["run"], resolve=False)
    run = {"agent": config.hydra.runtime.choices.agent, "suite": config.hydra.runtime.choices.get("suite")}
    plain["run"] = {**run, **{key: value for key, value in plain["run"].items() if "$" not in str(value)}}
    return yaml.safe_load(yaml.safe_dump(plain))


@pytest.mark.parametrize(
    "words",
    [
        ["+agent=random_search", "agent.empty_text=0.5", "workload=longtail", "seed=3"],
        ["+agent=tpe", "agent.space=flat", "workload=hackbench"],
        ["+agent=naive_agent", "llm.model=openai/a:b", "llm.temperature=0.2", "budget.usd=2", "machine.cpus=4"],
        [
            "+experiment=ablation_merged_roles",
            "agent.roles.learning.max_rounds=3",
            "agent.roles.learning.llm={model: a/b}",
            "suite=smoke",
        ],
        ["+agent=eevdf", "objective=fair", "heldout.seeds=4", "++heldout.variants.schbench.x={threads: 3}"],
        ["+agent=eevdf", "objective={weights: {p99_request_us: 1.0}, floors: {requests_per_s: 0.8}}"],
    ],
)
def test_the_same_configuration(words):
    config = composed(words)
    run = SimpleNamespace(
        config=config,
        agent=config["run"]["agent"],
        target=config["agent"]["_target_"],
        suite=config["run"]["suite"],
        settings=read_settings({name: config[name] for name in SAME if name != "agent"}),
        workload=catalogue.load_workload(config["workload"]["name"]),
    )
    python, dash_m, module, *again = shlex.split(command([run], asks_model=True))
    assert (python, dash_m, module) == ("python", "-m", "schedcp_gym.run")
    repeated = composed([word for word in again if word != "-m"])
    assert {name: repeated[name] for name in SAME} == {name: config[name] for name in SAME}
    assert repeated["run"] == config["run"]
