"""Ids, constructors, and what importing costs."""

import inspect
import re
import subprocess
import sys

import gymnasium as gym
import pytest

from schedcp_gym.envs import env_id, env_ids, register_all
from schedcp_gym.envs.registration import KINDS, TABLE_ENTRY_POINT
from schedcp_gym.spec import BadInput


def test_ids_are_made_from_folder_names():
    assert env_id("schbench", "Tune") == "SchedCP/Schbench-Tune-v0"
    assert env_id("kernel-build_2", "Synth") == "SchedCP/KernelBuild2-Synth-v0"
    assert {"SchedCP/Schbench-TuneFlat-v0", "SchedCP/Longtail-Synth-v0"} <= set(env_ids())


def test_all_are_registered_as_deterministic_and_twice_does_no_harm():
    register_all()
    for name in env_ids():
        assert not gym.spec(name).nondeterministic


@pytest.mark.parametrize("name", env_ids())
def test_all_can_be_made_without_a_machine(name):
    env = gym.make(name)
    env.action_space.seed(1)
    assert env.action_space.sample() in env.action_space
    with pytest.raises(gym.error.ResetNeeded):
        env.unwrapped.step(None)
    env.close()
    env.close()


@pytest.mark.parametrize("entry_point", [*KINDS.values(), TABLE_ENTRY_POINT])
def test_the_documentation_has_gymnasiums_headings(entry_point):
    text = inspect.cleandoc(gym.envs.registration.load_env_creator(entry_point).__doc__)
    assert re.findall("^## (.*)$", text, re.MULTILINE) == [
        "Description",
        "Action Space",
        "Observation Space",
        "Rewards",
        "Starting State",
        "Episode End",
        "Information",
        "Arguments",
        "Version History",
    ]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"scale": "huge"}, "scale"),
        ({"cpus": 99}, "machine.cpus"),
        ({"clock": "wall"}, "machine.clock"),
        ({"memory": 5}, "machine.memory"),
        ({"max_steps": 1}, "2 or more"),
        ({"objective": {"weights": {"makespan": 1}}}, "makespan is not among the metrics .*makespan_s"),
        ({"objective": {"weights": {"makespan_s": 1}, "floors": {"jobs": 0.9}}}, "jobs is not among the metrics"),
        ({"objective": {"weights": {"makespan_s": 1}, "floors": {"jobs_per_s": 2}}}, "floors must be above 0"),
        ({"objective": "nosuch"}, "unknown objective of longtail 'nosuch'"),
        ({"objective": {"weights": {}}}, "at least one"),
        ({"objective": {"weight": {}}}, "objective"),
    ],
)
def test_wrong_arguments_name_the_fix(options, text):
    with pytest.raises(BadInput, match=text):
        gym.make("SchedCP/Longtail-Tune-v0", **options)


def test_importing_loads_nothing_heavy():
    program = (
        "import sys, schedcp_gym; assert 'gymnasium' not in sys.modules\n"
        "import schedcp_gym.envs, schedcp_gym.baselines\n"
        "heavy = {'pandas', 'scipy', 'hydra', 'rich', 'pydantic', 'qemu', 'torch', 'ray', 'litellm'}\n"
        "print(*heavy & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
