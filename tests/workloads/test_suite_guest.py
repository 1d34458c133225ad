"""Every workload on the real kernel: whole, exact, and no more work under another seed."""

import dataclasses
import math

import pytest

from schedcp_gym.lab import Lab, catalogue
from schedcp_gym.spec import EEVDF, Clock, MachineSpec, Policy, Scale, Trial, share_of_possible

pytestmark = pytest.mark.guest

NAMES = catalogue.workload_names()
#: Another few whenever workloads change: all of them would take the suite too long, and so would the heaviest.
LIGHT = [name for name in NAMES if Scale.SMOKE not in catalogue.load_workload(name).max_job_s]
ROTATING = sorted(LIGHT, key=lambda name: catalogue.load_workload(name).digest)
COLD, REAL = ROTATING[:3], ROTATING[3:5]
#: A batch that goes on as long as requests are served has no amount of its own.
ENDLESS = {name for name in NAMES if "batch_work_per_s" in catalogue.load_workload(name).metrics}
SEEDED = [name for name in ROTATING if "{seed}" in str(catalogue.load_workload(name)) and name not in ENDLESS][-3:]
#: How much CPU time two seeds may differ by: the data differ, and accounting is in hundredths of a second.
SAME_WORK = 0.03
#: A bound is reckoned from CPU time that was counted, to the tick; it can't be beaten by more.
BEST = 1.01


def trial(name, seed=0, clock=Clock.VIRTUAL):
    return Trial(Policy(EEVDF), catalogue.load_workload(name), MachineSpec(clock=clock), seed=seed)


def measure(one, *, cold=False):
    (measured,) = Lab(workers=1, cache=False, cold=cold).measure([one])
    assert measured.ok, f"{measured.outcome}: {measured.message}\n{measured.log[-2000:]}"
    return measured


@pytest.mark.parametrize("name", NAMES)
def test_a_workload_is_whole_and_exact(name, image):
    workload = catalogue.load_workload(name)
    first = measure(trial(name))
    assert set(first.metrics) == set(workload.metrics)
    assert all(math.isfinite(value) for value in first.metrics.values())
    assert all(first.metrics[metric] > 0 for metric in workload.objective.weights)
    assert first.pages_scanned == 0
    assert first.cpu_s_by_name
    assert first.job_s < trial(name).max_job_s / 2  # a policy may be slower by half and still end
    share = share_of_possible(workload, first)
    assert share is None or share <= BEST
    again = measure(trial(name), cold=name in COLD)
    assert again.pages_scanned == 0
    assert again.exact() == first.exact()


@pytest.mark.parametrize("name", SEEDED)
def test_a_seed_changes_the_data_but_not_the_amount_of_work(name, image):
    first, other = (measure(trial(name, seed)) for seed in (1, 2))
    assert other.metrics != first.metrics
    spent = [math.fsum(one.cpu_s_by_name.values()) for one in (first, other)]
    assert abs(spent[1] / spent[0] - 1) <= SAME_WORK


@pytest.mark.parametrize("name", REAL)
def test_a_workload_runs_on_the_real_clock(name, image):
    measured = measure(dataclasses.replace(trial(name), machine=MachineSpec(clock=Clock.REAL)))
    assert set(measured.metrics) == set(catalogue.load_workload(name).metrics)
