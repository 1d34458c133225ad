"""What every agent has to keep to, whichever are there."""

import gymnasium as gym
import hydra
import numpy as np
import pytest
from omegaconf import OmegaConf

from schedcp_gym.baselines import agent_names, agent_summary
from schedcp_gym.baselines.agent import Agent
from schedcp_gym.baselines.random_search import RandomSearch
from schedcp_gym.envs import env_id
from schedcp_gym.envs.registration import KINDS
from schedcp_gym.paths import CONFIGS
from schedcp_gym.run.search import Run
from schedcp_gym.run.settings import read_settings
from schedcp_gym.spec import Measurement, Outcome


def make(name) -> Agent:
    """The agent of a config, as the runner makes it, but for what takes half a minute each time."""
    config = OmegaConf.load(CONFIGS / "agent" / f"{name}.yaml")
    if "full_verifications" in config:
        config.full_verifications = 0
    return hydra.utils.instantiate(config)


def searched(name, seed, evaluations, folder):
    """What an agent evaluates in a run, as (policy, tunables, reward), the run's record, and its ledger."""
    config = {
        "workload": {"name": "schbench"},
        "machine": {},
        "heldout": {},
        "budget": {"evaluations": evaluations},
        "seed": seed,
        "episode_steps": 2,
    }
    folder.mkdir()
    run = Run(read_settings(config), make(name), name, folder)
    run.search()
    tried = [(entry["policy"], entry["tunables"], entry["reward"]) for entry in run.record.evaluations]
    return tried, run.record.entries, run.ledger


@pytest.mark.parametrize("name", agent_names())
def test_an_agent_has_a_class_a_line_of_words_and_a_known_kind_of_action(name):
    agent = make(name)
    assert isinstance(agent, Agent)
    assert agent.action in KINDS
    assert 20 < len(agent_summary(name)) < 100


def test_the_first_agents_are_there():
    assert {"eevdf", "random_search"} <= set(agent_names())


@pytest.mark.guest
@pytest.mark.parametrize("name", agent_names())
def test_an_agent_keeps_to_its_budget_and_its_seed(name, tmp_path):
    tried, found, ledger = searched(name, 11, 3, tmp_path / "once")
    assert 1 <= len(tried) <= 3
    assert ledger.evaluations == len(tried)
    assert found[0]["kind"] == "baseline"
    again, _, _ = searched(name, 11, 3, tmp_path / "again")
    assert tried == again


@pytest.mark.guest
def test_eevdf_earns_nothing(tmp_path):
    tried, _, _ = searched("eevdf", 12, 2, tmp_path / "run")
    assert tried == [("eevdf", {}, 0.0)] * 2


def test_random_search_draws_all_policies_and_whole_ranges():
    task = gym.make(env_id("longtail", "Tune"), disable_env_checker=True).unwrapped
    task.baseline = Measurement("t", Outcome.OK, cpu_s_by_name={"long-1": 1.5, "short-1": 0.05, "short-2": 0.05})
    rng = np.random.default_rng(1)
    drawn = [task.decode(RandomSearch().draw(task, rng)) for _ in range(400)]
    assert {policy.name for policy in drawn} == {choice.name for choice in task.choices} - {"eevdf"}
    slices = sorted(dict(policy.tunables)["slice_us"] for policy in drawn if policy.name == "fifo")
    # Log-uniform from 100 to 1,000,000: half of all lie below 10,000.
    assert 0.35 < sum(value < 10000 for value in slices) / len(slices) < 0.65
    names = [dict(policy.tunables)["favour"] for policy in drawn if policy.name == "ljf"]
    assert names.count("long-1") > len(names) / 2
    assert set(names) == {"", "long-1", "short-1", "short-2"}
