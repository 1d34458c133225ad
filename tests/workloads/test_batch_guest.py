"""The batch workloads on the real kernel: the long job's name is worth what it should be, and nothing a seed later."""

import sys

import pytest
from conftest import make_trial

from schedcp_gym.lab import catalogue
from schedcp_gym.paths import SHARED
from schedcp_gym.spec import Outcome

sys.path.insert(0, str(SHARED))
import batch

pytestmark = pytest.mark.guest

NAMES = [name for name in catalogue.workload_names() if "batch.py" in catalogue.load_workload(name).shared]
#: Share of the bound, and of EEVDF's makespan, that the best order must come down to.
OVER_BOUND, OF_EEVDF = 1.08, 0.80


def long_job(trial):
    """The name of the long job, from the plan."""
    size = {name: trial.workload.scales[trial.scale][name] for name in ("jobs", "ratio", "amount")}
    return max(batch.plan(trial.seed, **size, folder=""), key=lambda part: part.amount).name


def measure(lab, *trials):
    measurements = lab.measure(trials)
    for measurement in measurements:
        assert measurement.outcome is Outcome.OK, measurement.message + measurement.log
        assert measurement.pages_scanned == 0
    return measurements


@pytest.mark.parametrize("name", NAMES)
def test_who_knows_the_long_job_comes_near_the_bound(lab, name):
    plain = make_trial("eevdf", name, seed=1)
    eevdf, ljf = measure(lab, plain, make_trial("ljf", name, {"favour": long_job(plain)}, seed=1))
    assert ljf.metrics["makespan_s"] <= OVER_BOUND * ljf.metrics["bound_s"]
    assert ljf.metrics["makespan_s"] <= OF_EEVDF * eevdf.metrics["makespan_s"]
    assert eevdf.cpu_s_by_name[long_job(plain)] == max(eevdf.cpu_s_by_name.values())


def test_yesterdays_name_is_worth_nothing_today(lab):
    name = "checksums"
    favour = long_job(make_trial("eevdf", name, seed=1))
    eevdf, ljf = measure(lab, make_trial("eevdf", name, seed=2), make_trial("ljf", name, {"favour": favour}, seed=2))
    assert ljf.metrics["makespan_s"] >= 0.97 * eevdf.metrics["makespan_s"]
