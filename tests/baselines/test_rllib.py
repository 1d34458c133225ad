"""Reinforcement learning outside of a run: it learns, goes on exactly where it was killed, and says what is wrong."""

import csv
import json
import math
import os
import signal
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest
from conftest import wait_until
from gymnasium import spaces
from typer.testing import CliRunner

import schedcp_gym.envs  # noqa: F401 (registers ours)
from schedcp_gym.baselines.rllib.curve import Episode, curve_of, gain_of, last_tenth, mean_gain, part_of
from schedcp_gym.baselines.rllib.lanes import Halted, Lanes, divisor
from schedcp_gym.baselines.rllib.methods import Ppo, Sac
from schedcp_gym.baselines.rllib.numbers import as_numbers
from schedcp_gym.baselines.rllib.packages import NEEDED
from schedcp_gym.baselines.rllib.training import Training
from schedcp_gym.cli import app
from schedcp_gym.envs.wrappers import BudgetSpent
from schedcp_gym.paths import PACKAGE
from schedcp_gym.spec import BadInput, MissingTool

WITHOUT = "needs the extra rl: make test-rl, or pip install -e '.[rl]'"
#: The real measurements of a table answer at once.
TABLE = "SchedCP/Schbench-Table-v0"


@pytest.fixture
def rl():
    for package in NEEDED:
        pytest.importorskip(package, reason=WITHOUT)


def train(*words, status=0):
    answer = CliRunner().invoke(app, ["train", *map(str, words)])
    if answer.exception and not isinstance(answer.exception, SystemExit):
        raise answer.exception
    assert answer.exit_code == status, answer.output
    return answer.output


def rewards(folder):
    with (folder / "episodes.csv").open() as file:
        return [float(row["reward"]) for row in csv.DictReader(file)]


def test_what_is_light_stays_light():
    program = (
        "import sys, schedcp_gym.cli, schedcp_gym.baselines.rllib.methods, schedcp_gym.baselines.rllib.training\n"
        "print(*{'torch', 'ray', 'scipy'} & set(sys.modules))"
    )
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == ""


def test_without_the_extra_a_line_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setitem(NEEDED, "no_such_package", "a package")
    with pytest.raises(MissingTool, match=r"needs .+: `pip install .schedcp_gym\[rl\].`"):
        train("ppo", "CartPole-v1", "--out", tmp_path / "t")


def test_a_gain_has_an_interval_that_holds_it():
    drawn = np.random.default_rng(1)
    learnt, uniform = drawn.normal(1.0, 1.0, 200), drawn.normal(0.0, 1.0, 200)
    gain = gain_of(learnt, uniform, 1)
    assert gain.low < gain.reward < gain.high
    # Of a difference of two means, each with a standard deviation of 1/sqrt(200).
    assert gain.high - gain.low == pytest.approx(2 * 1.96 * 0.1, rel=0.2)
    assert gain == gain_of(learnt, uniform, 1)
    same = gain_of(uniform, uniform, 1)
    assert same.low < 0 < same.high
    assert gain_of([1.0], [0.5], 1).high == math.inf


def test_the_interval_over_seeds_is_that_of_their_means():
    gains = [gain_of([value] * 2, [0.0] * 2, 1) for value in (1.0, 2.0, 3.0)]
    mean = mean_gain(gains)
    assert mean.reward == 2
    assert mean.high - 2 == pytest.approx(4.302652729696 / math.sqrt(3))


def test_a_curve_is_of_tenths_and_its_last_is_what_is_compared():
    episodes = [Episode(float(number), 12) for number in range(25)]
    curve = curve_of(episodes)
    assert [part.episodes for part in curve] == [2, 3] * 5
    assert curve[-1].steps_total == 300
    assert curve[-1] == part_of(last_tenth(episodes), 300)
    assert curve_of([]) == last_tenth([]) == []
    assert [part.reward for part in curve_of(episodes[:3])] == [0, 1, 2]


class Counting(gym.Env):
    """Rewards an action with itself; its episodes are of six steps, and a budget ends it all at some step."""

    observation_space = spaces.Box(0, 100, shape=(1,), dtype=np.float32)
    action_space = spaces.Box(-1, 1, shape=(1,), dtype=np.float32)

    def __init__(self, budget):
        self.budget, self.steps, self.resets, self.prefetched = budget, 0, 0, []

    def prefetch(self, actions):
        self.prefetched.append(len(actions))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.resets += 1
        return np.zeros(1, dtype=np.float32), {}

    def step(self, action):
        if self.steps == self.budget:
            raise BudgetSpent
        self.steps += 1
        return np.array([self.steps], dtype=np.float32), float(action[0]), False, self.steps % 6 == 0, {}


def test_lanes_are_steps_of_one_environment_measured_side_by_side():
    env = Counting(budget=7)
    lanes = Lanes(env, 3)
    lanes.begin(1)
    assert lanes.reset(seed=[1, 2, 3])[0].tolist() == [[0], [0], [0]]
    assert env.resets == 1
    actions = np.array([[0.1], [0.2], [0.3]], dtype=np.float32)
    observations, gained, _, truncated, _ = lanes.step(actions)
    assert observations.tolist() == [[1], [2], [3]]
    assert gained == pytest.approx([0.1, 0.2, 0.3])
    assert not truncated.any()
    assert lanes.step(actions)[3].all()
    assert lanes.step(actions)[1].tolist() == [0, 0, 0]  # begins the next episode
    assert env.resets == 2
    with pytest.raises(Halted) as halted:
        lanes.step(actions)
    assert isinstance(halted.value.cause, BudgetSpent)
    assert env.prefetched == [3, 3, 3]
    assert [divisor(lanes, 12) for lanes in (1, 4, 5, 12, 99)] == [1, 4, 4, 12, 12]


class Seen(gym.Env):
    """Shows what it is told to."""

    observation_space = spaces.Dict({"a": spaces.Box(0, 10, (2,), np.float32), "b": spaces.Discrete(2)})
    action_space = spaces.Discrete(1)

    def reset(self, *, seed=None, options=None):
        return options, {}


def test_observations_are_numbers_within_one():
    env = as_numbers(Seen())
    observation, _ = env.reset(options={"a": np.array([0, 7.5], dtype=np.float32), "b": 1})
    assert observation.tolist() == [-1, 0.5, -1, 1]
    assert observation in env.observation_space
    ours = as_numbers(gym.make("SchedCP/Schbench-TuneFlat-v0", disable_env_checker=True)).observation_space
    assert isinstance(ours, spaces.Box)
    assert (ours.low == -1).all()
    assert (ours.high == 1).all()


@pytest.mark.parametrize(
    ("kind", "setting", "says"),
    [(Ppo, {"gamma": 1.5}, "gamma"), (Ppo, {"hidden": []}, "hidden"), (Sac, {"tau": 0}, "tau"), (Sac, {"x": 1}, "x")],
)
def test_settings_out_of_range_are_refused(kind, setting, says):
    with pytest.raises(ValueError, match=says):
        kind(**setting)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["pp0", "CartPole-v1"], "unknown method 'pp0'"),
        (["ppo", "SchedCP/Nosuch-Table-v0"], "no environment 'SchedCP/Nosuch-Table-v0' can be made"),
        (["ppo", "SchedCP/Schbench-Tune-v0"], "must be a Box or Discrete"),
        (["sac", "CartPole-v1"], "use ppo"),
        (["ppo", "CartPole-v1", "--set", "lrr=1"], "no setting 'lrr'; there are: lanes"),
        (["ppo", "CartPole-v1", "--set", "lr=much"], "lr: "),
        (["ppo", "CartPole-v1", "--env", "nosuch=1"], "can be made"),
        (["ppo", "SchedCP/Schbench-TuneFlat-v0", "--env", "scale=huge"], "scale"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(rl, words, says, tmp_path):
    with pytest.raises(BadInput, match=says) as raised:
        train(*words, "--out", tmp_path / "t")
    assert "\n" not in str(raised.value)


def test_ppo_learns_and_tells_by_how_much(rl, tmp_path):
    """Cart and pole: uniform actions hold it up for some 20 steps."""
    words = ["ppo", "CartPole-v1", "--seeds", 2, "--steps", 6000, "--out", tmp_path, "--set", "gamma=0.99"]
    told = json.loads(train(*words, "--random-episodes", 50, "--json"))
    for seed in told["seeds"]:
        assert len(seed["curve"]) == 10
        assert seed["uniform"]["episodes"] == 50
        assert seed["gain"]["low"] > 10
        assert seed["episodes"] == len(rewards(tmp_path / f"seed-{seed['seed']}"))
    assert told["seeds"][0]["curve"] != told["seeds"][1]["curve"]
    text = train(*words, "--resume", "--random-episodes", 50)  # is there already
    assert "mean of 2 seeds" in text
    assert text.count("uniform actions") >= 4


class Near(gym.Env):
    """The nearer an action is to the number that is shown, the better; episodes of four steps."""

    observation_space = spaces.Box(-0.8, 0.8, shape=(1,), dtype=np.float32)
    action_space = spaces.Box(-1, 1, shape=(1,), dtype=np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps, self.shown = 0, np.zeros(1, dtype=np.float32)
        return self.shown, {}

    def step(self, action):
        gained = -abs(float(action[0]) - float(self.shown[0]))
        self.steps, self.shown = self.steps + 1, self.np_random.uniform(-0.8, 0.8, 1).astype(np.float32)
        return self.shown, gained, False, self.steps == 4, {}


@pytest.mark.parametrize(
    ("method", "steps", "settings"),
    [
        ("ppo", 3000, {"batch": 256, "minibatch": 64}),
        ("sac", 600, {"lanes": 4, "warm_up": 64, "updates": 1, "actor_lr": 0.003}),
    ],
)
def test_what_is_best_is_learnt_from_what_is_seen(rl, method, steps, settings, tmp_path):
    gym.register("tests/Near-v0", Near)
    try:
        training = Training(method, "tests/Near-v0", {}, settings, steps, 1, 10_000)
        learnt = last_tenth(training.train(tmp_path, resume=False, told=lambda *_: None))
        uniform = list(training.uniform_rewards(200))
    finally:
        del gym.registry["tests/Near-v0"]
    # Uniform actions are 0.6 off on average, the best that looks at nothing 0.4 (4/3 and 1.2 an episode, with the 0).
    assert gain_of(learnt, uniform, 1).low > 0.5
    assert part_of(learnt).reward > -1.2


def test_learning_beats_uniform_actions_on_a_table(rl, tmp_path):
    told = json.loads(train("ppo", TABLE, "--steps", 6000, "--out", tmp_path, "--json", "--random-episodes", 200))
    assert told["gain"]["low"] > 0


@pytest.mark.parametrize(
    ("method", "env_id", "more"),
    [
        ("ppo", "CartPole-v1", ["batch=128"]),
        ("sac", "Pendulum-v1", ["warm_up=64", "lanes=2", "batch=16", "updates=0.2"]),
    ],
)
def test_a_killed_training_goes_on_exactly(rl, method, env_id, more, tmp_path):
    words = [method, env_id, "--steps", "800", "--checkpoint-steps", "400", "--random-episodes", "0"]
    words += [word for setting in more for word in ("--set", setting)]
    train(*words, "--out", tmp_path / "whole")

    folder = tmp_path / "killed"
    command = [sys.executable, "-m", "schedcp_gym.cli", "train", *words, "--out", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: list(folder.glob("checkpoints/steps-*")) or process.poll() is not None, 120)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert list(folder.glob("checkpoints/steps-*"))
    with pytest.raises(BadInput, match="go on with it by --resume"):
        train(*words, "--out", folder)
    with pytest.raises(BadInput, match="holds a training with seed=1, not 2"):
        train(*words, "--out", folder, "--seed", 2, "--resume")
    train(*words, "--out", folder, "--resume")
    assert len(rewards(folder)) >= 4
    assert rewards(folder) == rewards(tmp_path / "whole")
