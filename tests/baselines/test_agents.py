"""The agents that ask no language model."""

import gymnasium as gym
import hydra
import numpy as np
import pytest
from omegaconf import OmegaConf

from schedcp_gym.baselines.agent import Agent
from schedcp_gym.baselines.random_search import RandomSearch
from schedcp_gym.envs import env_id
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
    """What an agent evaluates in a run, as (policy, tunables, reward)."""
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
    return [(entry["policy"], entry["tunables"], entry["reward"]) for entry in run.record.evaluations]


@pytest.mark.guest
def test_eevdf_earns_nothing(tmp_path):
    assert searched("eevdf", 12, 3, tmp_path / "run") == [("eevdf", {}, 0.0)] * 3  # in two episodes


def test_random_search_draws_all_policies_and_whole_ranges():
    task = gym.make(env_id("longtail", "Tune"), disable_env_checker=True).unwrapped
    task.baseline = Measurement("t", Outcome.OK, cpu_s_by_name={"long-1": 1.5, "short-1": 0.05, "short-2": 0.05})
    rng = np.random.default_rng(1)
    drawn = [task.decode(RandomSearch().draw(task, rng)) for _ in range(800)]
    assert {policy.name for policy in drawn} == {choice.name for choice in task.choices} - {"eevdf"}
    slices = sorted(dict(policy.tunables)["slice_us"] for policy in drawn if policy.name == "fifo")
    # Log-uniform from 100 to 1,000,000: half of all lie below 10,000.
    assert 0.35 < sum(value < 10000 for value in slices) / len(slices) < 0.65
    names = [dict(policy.tunables)["favour"] for policy in drawn if policy.name == "ljf"]
    assert names.count("long-1") > len(names) / 2
    assert set(names) == {"", "long-1", "short-1", "short-2"}
