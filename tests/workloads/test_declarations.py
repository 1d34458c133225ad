"""What holds for every workload's declaration."""

import math
import re

import pytest
import yaml

from schedcp_gym.lab import catalogue
from schedcp_gym.paths import CONFIGS, SHARED
from schedcp_gym.spec import EEVDF, Direction, MachineSpec, Policy, Scale, Trial

NAMES = catalogue.workload_names()


@pytest.mark.parametrize("name", NAMES)
def test_a_workload_has_a_configuration_of_its_name(name):
    assert yaml.safe_load((CONFIGS / "workload" / f"{name}.yaml").read_text()) == {"name": name}


def test_no_configuration_names_a_workload_that_is_not_there():
    assert {path.stem for path in (CONFIGS / "workload").glob("*.yaml")} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_workload_says_what_it_is_and_how_long_it_takes(name):
    workload = catalogue.load_workload(name)
    assert 10 <= len(workload.title) <= 100
    assert not workload.title.endswith(".")
    assert len(workload.description.split()) >= 40
    assert set(workload.scales) == set(Scale)
    limits = [Trial(Policy(EEVDF), workload, MachineSpec(), scale).max_job_s for scale in Scale]
    assert limits == sorted(limits)


@pytest.mark.parametrize("name", NAMES)
def test_objectives_are_of_metrics_and_a_bound_is_of_the_same_unit_and_direction(name):
    workload = catalogue.load_workload(name)
    assert all(re.fullmatch("[a-z]+", called) for called in workload.objectives)
    for objective in (workload.objective, *workload.objectives.values()):
        metrics = [workload.metrics[metric] for metric in objective.weights]
        assert math.isfinite(sum(objective.weights.values()))
        if objective.bound:
            bound = workload.metrics[objective.bound]
            assert objective.bound not in objective.weights
            assert (bound.unit, bound.direction) == (metrics[0].unit, metrics[0].direction)
    if fair := workload.objectives.get("fair"):
        assert fair.floors
        assert set(fair.floors) - set(fair.weights) or len(fair.weights) > 1


@pytest.mark.parametrize("name", NAMES)
def test_a_makespan_has_a_bound_where_jobs_are_given(name):
    workload = catalogue.load_workload(name)
    if "bound_s" in workload.metrics:
        assert workload.metrics["bound_s"].direction is Direction.MINIMIZE
        assert workload.objective.bound == "bound_s"


@pytest.mark.parametrize("name", NAMES)
def test_what_a_workload_shares_is_there_and_used_in_its_folder(name):
    workload = catalogue.load_workload(name)
    assert len(set(workload.shared)) == len(workload.shared)
    assert all((SHARED / shared).is_file() for shared in workload.shared)
