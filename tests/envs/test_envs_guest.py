"""The environments on the real kernel."""

import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence

from schedcp_gym.envs.registration import KINDS, env_id
from schedcp_gym.lab import Lab, catalogue
from schedcp_gym.spec import REWARD_LIMIT

pytestmark = pytest.mark.guest


#: The environments of a workload differ from another's in nothing but its metrics: one with one in its objective, and
#: one with a bound. That each workload runs is tests/workloads/test_suite_guest.py's business.
CHECKED = ("schbench", "longtail")


@pytest.mark.parametrize("name", [env_id(workload, kind) for workload in CHECKED for kind in KINDS])
def test_gymnasiums_checker_passes_without_a_warning(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gym.make(name).unwrapped)


def test_an_episode_is_the_same_twice_and_with_trials_in_parallel():
    def episode(prefetch):
        lab = Lab(cache=False)
        env = gym.make("SchedCP/Schbench-TuneFlat-v0", max_steps=2, lab=lab, disable_env_checker=True)
        env.action_space.seed(5)
        actions = [env.action_space.sample() for _ in range(2)]
        actions[0][0], actions[1][0] = -0.4, 0.9
        seen = [env.reset(seed=5)]
        if prefetch:
            env.get_wrapper_attr("prefetch")(actions)
            assert all(env.get_wrapper_attr("is_prefetched")(action) for action in actions)
        seen += [env.step(action) for action in actions]
        return seen

    first, second = episode(False), episode(True)
    assert data_equivalence(first, second, exact=True)
    assert [step[3] for step in first[1:]] == [False, True]
    assert [step[4]["outcome"] for step in first[1:]] == ["ok", "ok"]
    assert first[1][1] == pytest.approx(first[1][4]["reward_parts"]["p99_request_us"])


def test_eevdf_earns_exactly_nothing_and_failures_the_least():
    env = gym.make("SchedCP/Longtail-Synth-v0", max_steps=4, render_mode="ansi").unwrapped
    _, info = env.reset(seed=1, options={"workload_seed": 7})
    assert info["workload_seed"] == 7
    assert max(info["processes"].values()) == next(iter(info["processes"].values()))
    no_compile = {"source": "int main(", "tunables": "{}"}
    no_json = {"source": "int x;", "tunables": "{"}
    not_a_scheduler = {"source": "int x;", "tunables": ""}
    for action, text in ((no_compile, "error:"), (no_json, "not JSON"), (not_a_scheduler, "")):
        observation, reward, terminated, truncated, info = env.step(action)
        assert (reward, info["outcome"]) == (-REWARD_LIMIT, "rejected")
        assert text in info["message"]
        assert info["message"]
        assert observation in env.observation_space
        assert not terminated
        assert not truncated
    assert env.render().count("rejected") == 3
    tune = gym.make("SchedCP/Longtail-Tune-v0").unwrapped
    tune.reset(seed=1, options={"workload_seed": 7})
    observation, reward, *_ = tune.step({"policy": 0})
    assert reward == 0.0
    assert not np.any(observation["metrics"])
    fifo = catalogue.policy_names().index("fifo")
    assert tune.step({"policy": fifo, "tunables": {"fifo": {"slice_us": -1}}})[4]["outcome"] == "rejected"
