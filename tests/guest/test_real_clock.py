"""The machine on the host's clock: it runs, and what it gives is never taken for exact."""

import pytest
from conftest import make_trial

from schedcp_gym.lab import Lab
from schedcp_gym.spec import Clock, MachineSpec

pytestmark = pytest.mark.guest


def test_a_trial_runs_on_the_real_clock_and_is_measured_anew_each_time():
    lab = Lab(cache=True)
    trial = make_trial("fifo", "longtail", machine=MachineSpec(clock=Clock.REAL))
    (first,), (second,) = lab.measure([trial]), lab.measure([trial])
    for measured in (first, second):
        assert measured.ok, measured.message
        assert not measured.cached
    assert first.metrics != second.metrics
    assert lab.machine(trial.machine).accelerator in ("kvm", "mttcg")
