"""An environment's objective: the workload's own, another by name, or one's own."""

import gymnasium as gym
import pytest

import schedcp_gym.envs  # noqa: F401  registers them
from schedcp_gym.envs.render import objective_text
from schedcp_gym.lab import catalogue
from schedcp_gym.run.settings import read_settings
from schedcp_gym.spec import BadInput, Objective

SETTINGS = {"workload": {"name": "longtail"}, "machine": {}, "budget": {"evaluations": 1}, "heldout": {}}


@pytest.fixture
def fair(monkeypatch):
    """Gives longtail an objective called ``fair``."""
    load = catalogue.load_workload

    def loaded(name):
        workload = load(name)
        objective = Objective({"makespan_s": 1.0}, floors={"mean_completion_s": 0.9})
        return type(workload)(**{**workload.__dict__, "objectives": {"fair": objective}})

    monkeypatch.setattr(catalogue, "load_workload", loaded)


def make(objective):
    return gym.make("SchedCP/Longtail-Tune-v0", objective=objective).unwrapped


def test_without_a_word_it_is_the_workloads_own():
    assert make(None).objective == catalogue.load_workload("longtail").objective


def test_another_is_asked_for_by_name(fair):
    assert make("fair").objective.floors == {"mean_completion_s": 0.9}
    with pytest.raises(BadInput, match="unknown objective of longtail 'fairr'; did you mean fair"):
        make("fairr")


def test_ones_own_may_have_floors():
    own = {"weights": {"jobs_per_s": 1.0}, "floors": {"mean_completion_s": 0.8}}
    assert make(own).objective == Objective({"jobs_per_s": 1.0}, floors={"mean_completion_s": 0.8})
    assert make(Objective(**own)).objective == Objective(**own)


@pytest.mark.parametrize("objective", [None, "fair", {"weights": {"makespan_s": 1.0}}])
def test_a_runs_configuration_takes_each_of_them(objective):
    assert read_settings({**SETTINGS, "objective": objective}).objective == objective


@pytest.mark.parametrize("objective", [5, ["fair"]])
def test_a_runs_configuration_takes_nothing_else(objective):
    with pytest.raises(BadInput, match="objective"):
        read_settings({**SETTINGS, "objective": objective})


def test_floors_are_shown_as_the_ratios_that_they_are():
    workload = catalogue.load_workload("longtail")
    objective = Objective({"makespan_s": 3.0, "jobs_per_s": 1.0}, floors={"mean_completion_s": 0.9})
    assert objective_text(workload, objective) == (
        "75 % makespan_s (less is better), 25 % jobs_per_s (more is better); floors: mean_completion_s 0.90x"
    )
