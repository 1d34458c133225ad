"""Ablations sweep both arms into one folder, as tables need them."""

import json

import hydra
import pytest
import yaml
from omegaconf import OmegaConf
from typer.testing import CliRunner

from schedcp_gym.baselines.agent import Agent
from schedcp_gym.cli import app
from schedcp_gym.run.app import main
from schedcp_gym.run.configs import open_configs
from schedcp_gym.run.settings import read_settings

SWEPT = ("analysis", "budget", "llm", "repository", "roles", "verifier")


def composed(name, *words):
    with open_configs():
        return hydra.compose("config", [f"+experiment=ablation_{name}", *words], return_hydra_config=True)


@pytest.mark.parametrize("name", SWEPT)
def test_an_ablations_arms_are_told_apart(name):
    config = composed(name)
    assert config.hydra.mode.name == "MULTIRUN"
    assert config.hydra.sweep.dir == f"runs/ablation_{name}"
    (key, values), *task = config.hydra.sweeper.params.items()
    assert {key for key, _ in task} == {"workload", "seed"}
    arms = [composed(name, f"{key}={value}") for value in values.split(",")]
    for arm in arms:
        assert issubclass(hydra.utils.get_class(arm.agent._target_), Agent)
        own = OmegaConf.masked_copy(arm, [each for each in arm if each not in ("run", "agent", "hydra")])
        read_settings(OmegaConf.to_container(own, resolve=True))
    # What tables tell them apart by: the model, or the agent's name, which is the config's where none is given.
    told = {"llm": "llm.model", "roles": "agent._target_"}.get(name, "run.agent")
    assert len({OmegaConf.select(arm, told) for arm in arms}) == len(arms) > 1


@pytest.mark.guest
def test_an_ablation_is_a_sweep_and_a_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["workload=longtail", "seed=1", "budget.evaluations=1", "heldout.seeds=3", "agent.full_verifications=0"]
    assert main(["+experiment=ablation_repository", *words]) == 0
    folder = tmp_path / "runs/ablation_repository"
    arms = {f"sched_agent_repository_{value}_longtail_s1": value for value in (True, False)}
    assert {path.name for path in folder.iterdir() if path.is_dir()} == set(arms)
    for name, value in arms.items():
        assert yaml.safe_load((folder / name / "config.yaml").read_text())["agent"]["repository"] is value
    told = CliRunner().invoke(app, ["compare", str(folder), "--json"])
    labels = {run["agent"] for run in json.loads(told.stdout)["runs"]}
    assert labels == {f"sched_agent_repository_{value} (offline-rules)" for value in (True, False)}
