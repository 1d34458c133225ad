"""Tuners and references: which points they ask for, and that a sampler learns from what it is told."""

import sys

import gymnasium as gym
import numpy as np
import optuna
import pytest

from schedcp_gym.baselines.points import Arm, Axis, Point, arms_of
from schedcp_gym.baselines.references.grid import Grid
from schedcp_gym.baselines.tuners.search import TunerSearch
from schedcp_gym.baselines.tuners.space import Conditional, Flat
from schedcp_gym.baselines.tuners.tuner import Tuner
from schedcp_gym.baselines.tuners.warm import known_points, read_results, screened
from schedcp_gym.envs.choice import load_choices
from schedcp_gym.paths import PACKAGE
from schedcp_gym.run.app import main
from schedcp_gym.run.record import Record
from schedcp_gym.spec import BadInput
from schedcp_gym.spec.digest import policy_id

REPOSITORY = PACKAGE.parent / "results" / "repository"
SLICE = Axis("slice_us", 100, 100_000, log=True, default=3000)
TURNS = Axis("turns", 0, 4, log=False, default=1)
NAME = Axis("favour", 0, 8, log=False, default=0, is_rank=True)
ARMS = (Arm("a", (SLICE, TURNS)), Arm("b", (SLICE, NAME)), Arm("c", ()))


def tpe(seed):
    return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)


def cma_es(seed):
    return optuna.samplers.CmaEsSampler(seed=seed, with_margin=True)


def random(seed):
    return optuna.samplers.RandomSampler(seed=seed)


def sobol(seed):
    return optuna.samplers.QMCSampler(qmc_type="sobol", scramble=True, seed=seed)


KINDS = {
    "random": (random, Conditional, None),
    "quasi-random": (sobol, Flat, None),
    "tpe": (tpe, Conditional, None),
    "cma-es": (cma_es, Flat, 1),
}


def gain(point):
    """A valley: b with 20,000 us and rank 5 is the best there is."""
    numbers = dict(point.numbers)
    if point.policy == "c":
        return -4.0
    off = abs(np.log(numbers["slice_us"] / 20_000))
    return -off - 0.2 * abs(numbers.get("favour", 10) - 5)


def searched(kind, seed, batches=15, batch=4):
    """All points that a search asks for, with their rewards."""
    sampler, space, shortlist = KINDS[kind]
    search = TunerSearch(ARMS, sampler, space, seed, shortlist=shortlist)
    found = []
    for _ in range(batches):
        points = search.ask(batch)
        rewards = [gain(point) for point in points]
        search.tell(rewards)
        found += zip(points, rewards, strict=True)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_follows_from_its_seed_and_begins_with_the_defaults(kind):
    found = searched(kind, 3)
    assert found == searched(kind, 3)
    assert found != searched(kind, 4)
    assert {point for point, _ in found[:3]} == {arm.at_defaults for arm in ARMS}
    assert found[3][0] == Point("b", (("slice_us", 3000), ("favour", 1)))
    for point, _ in found:
        arm = next(arm for arm in ARMS if arm.policy == point.policy)
        assert [name for name, _ in point.numbers] == [axis.name for axis in arm.axes]
        assert all(axis.low <= number <= axis.high for axis, (_, number) in zip(arm.axes, point.numbers, strict=True))
        assert all(isinstance(number, int) for _, number in point.numbers)


@pytest.mark.parametrize("kind", ["tpe", "cma-es"])
def test_a_sampler_learns_from_what_it_is_told(kind):
    def mean_of_last(name):
        return np.array([np.mean([reward for _, reward in searched(name, seed)[-16:]]) for seed in range(8)])

    clever, blind = mean_of_last(kind), mean_of_last("random")
    assert np.all(clever > blind)


def test_a_shortlist_has_the_policies_whose_defaults_were_best():
    found = searched("cma-es", 1)
    best = max((point for point, _ in found[:4]), key=gain).policy
    assert {point.policy for point, _ in found[4:]} == {best}


def test_a_sampler_that_takes_a_beginning_begins_at_the_best_that_is_known():
    begins = []

    def sampler(seed, x0):
        begins.append(x0)
        return cma_es(seed)

    search = TunerSearch(ARMS, sampler, Flat, 1, shortlist=1)
    search.tell([gain(point) for point in search.ask(4)])
    search.ask(1)
    assert begins == [{"b.slice_us": 3000, "b.favour": 1}]


def test_what_is_known_is_not_measured_first_and_chooses_the_shortlist():
    known = [(ARMS[2].at_defaults, 3.0), (ARMS[0].at_defaults, 1.0)]
    search = TunerSearch(ARMS, cma_es, Flat, 1, shortlist=1, known=known)
    first = search.ask(4)
    assert first == [ARMS[1].at_defaults, *ARMS[1].named]
    search.tell([0.0, -1.0])
    assert {point.policy for point in search.ask(2)} == {"c"}


def test_recorded_results_of_the_library_are_known_on_their_own_task_only():
    choices = load_choices()
    arms = arms_of(choices, names=8)
    results = read_results(REPOSITORY)

    def known(results=results, **task):
        return known_points(results, gym.make("SchedCP/Longtail-Tune-v0", **task).unwrapped, choices, arms)

    found = dict(known())
    defaults = {arm.at_defaults for arm in arms}
    assert len(found) > len(arms) / 2
    assert set(found) <= defaults
    assert known(scale="full") == []
    assert known(objective={"weights": {"makespan_s": 1.0}, "floors": {"jobs_per_s": 0.5}}) == []
    one = next(each for each in results if each["workload"] == "longtail" and each["reward"] is not None)
    twice = [one, {**one, "seed": 1, "reward": one["reward"] + 1}]
    assert [reward for _, reward in known(twice)] == [pytest.approx(one["reward"] + 0.5)]
    assert known([{**one, "values": {"favour": "ember"}}]) == []


def test_results_at_a_cheaper_scale_prune_but_not_who_can_name_a_process():
    choices = load_choices()
    arms = arms_of(choices, names=8)
    results = read_results(REPOSITORY)

    def passed(scale, most=3):
        task = gym.make("SchedCP/Schbench-Tune-v0", scale=scale).unwrapped
        return {arm.policy for arm in screened(results, task, choices, arms, most)}

    every = {arm.policy for arm in arms}
    rewards = {each["policy"]: each["reward"] for each in results if each["workload"] == "schbench"}
    names = {policy_id(choice.source, {}): choice.name for choice in choices}
    unnamed = {names[key]: reward for key, reward in rewards.items() if names[key] not in ("layers", "ljf")}
    best = sorted(unnamed, key=lambda name: -unnamed[name])[:3]
    assert passed("standard") == passed("full") == {*best, "layers", "ljf"}
    assert passed("smoke") == every  # nothing is cheaper
    assert passed("standard", most=99) == every


@pytest.mark.parametrize("text", ["", "{", '{"kind": "policy"}'])
def test_a_warm_start_without_results_is_told(tmp_path, text):
    (tmp_path / "some.jsonl").write_text(text)
    with pytest.raises(BadInput, match="warm_start"):
        read_results(tmp_path)
    with pytest.raises(BadInput, match="No such file"):
        read_results(tmp_path / "none.jsonl")


def test_every_policy_of_the_catalogue_but_eevdf_is_an_arm():
    choices = load_choices()
    arms = arms_of(choices, names=8)
    assert [arm.policy for arm in arms] == [choice.name for choice in choices if choice.name != "eevdf"]
    assert any(axis.is_rank and axis.high == 8 for arm in arms for axis in arm.axes)
    for arm in arms:
        assert all(axis.low <= axis.default <= axis.high for axis in arm.axes)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"space": "round"}, "agent.space must be one of conditional, flat"),
        ({"batch": 0}, "agent.batch must be 1 or more"),
        ({"at_defaults": 2, "shortlist": 3}, "must not be more than agent.at_defaults=2"),
        ({"screened": 3}, "agent.warm_start=FILE"),
        ({"sampler": None}, "must name a class of optuna.samplers"),
    ],
)
def test_a_wrong_setting_is_told(wrong, words):
    with pytest.raises(BadInput, match=words):
        Tuner(**{"sampler": tpe, **wrong})


def test_a_grid_has_each_point_once_and_the_defaults_first():
    agent = Grid(points=5, changed=2)
    grid = list(agent.grid(ARMS, seed=1))
    assert len(grid) == len(set(grid)) == sum(agent.size(arm) for arm in ARMS)
    assert set(grid[:3]) == {arm.at_defaults for arm in ARMS}
    whole = Grid(points=5, changed=None)
    assert whole.size(ARMS[0]) == 5 * 5
    assert len(list(whole.grid(ARMS, seed=1))) == 5 * 5 + 5 * 9 + 1
    assert Point("c", ()) in grid


@pytest.mark.guest
def test_a_tuner_asks_the_same_whatever_the_workers_and_tunes_after_the_defaults(tmp_path):
    def points(folder, *words):
        task = ["workload=longtail", "budget.evaluations=6", "heldout.seeds=3", "seed=2", "agent.at_defaults=2"]
        assert main(["+agent=tpe", *task, *words, f"run.dir={folder}"]) == 0
        return [
            (entry["policy"], entry["tunables"], entry["reward"])
            for entry in Record(folder).old
            if entry["kind"] == "evaluation"
        ]

    one, two = points(tmp_path / "one", "workers=1"), points(tmp_path / "two", "workers=2")
    assert one == two
    defaults = {choice.name: {each.name: each.default for each in choice.tunables} for choice in load_choices()}
    is_at_defaults = [defaults[policy] | tunables == defaults[policy] for policy, tunables, _ in one]
    assert all(is_at_defaults[:2])
    assert not all(is_at_defaults[2:])


@pytest.mark.guest
def test_the_library_measures_each_policy_once_and_ends(tmp_path):
    words = ["workload=schbench", "budget.evaluations=40", "heldout.seeds=3", "seed=2"]
    assert main(["+agent=library", *words, f"run.dir={tmp_path / 'run'}"]) == 0
    lines = Record(tmp_path / "run").old
    measured = [entry["policy"] for entry in lines if entry["kind"] == "evaluation"]
    assert sorted(measured) == sorted(arm.policy for arm in arms_of(load_choices(), names=0))


@pytest.mark.guest
def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    words = ["workload=longtail", "budget.evaluations=8", "heldout.seeds=3", "agent.at_defaults=3"]
    assert main(["+agent=gp", *words, "agent.sampler.n_startup_trials=3", f"run.dir={tmp_path / 'run'}"]) != 0
    assert "agent.sampler needs torch" in capsys.readouterr().err
