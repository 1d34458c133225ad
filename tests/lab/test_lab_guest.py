"""The lab as conductor: what it gives to its executor, and what it makes of the results. Nothing is booted."""

import threading
import time

import pytest
from conftest import make_trial

from schedcp_gym.lab import Lab
from schedcp_gym.lab.execute import Ran
from schedcp_gym.lab.store import TrialStore
from schedcp_gym.machine import Ending, JobResult
from schedcp_gym.spec import Outcome, Policy, SchedcpError, Trial

pytestmark = pytest.mark.guest  # for the image: policies are compiled for its kernel

EEVDF = [make_trial("eevdf", seed=seed) for seed in range(9)]


class Elsewhere:
    """A place where every job ends as a script says: by seed; the host fails where it says nothing."""

    workers, ahead, has_separate_cores = 2, 2, True

    def __init__(self, endings=()):
        self.endings = dict(endings)
        self.jobs, self.running, self.most = [], 0, 0
        self.lock = threading.Lock()

    def run(self, machine, jobs, *, cold):
        with self.lock:
            self.jobs += jobs
            self.running += 1
            self.most = max(self.most, self.running)
        time.sleep(0.05)
        with self.lock:
            self.running -= 1
        return tuple(Ran(self.result(job)) for job in jobs)

    def result(self, job):
        seed = int(job.files["environment"].decode().partition("SEED=")[2].split()[0])
        ending = self.endings.get(seed, Ending.KILLED)
        if isinstance(ending, Exception):
            raise ending
        return JobResult(ending, job_s=1.0, message=f"seed {seed}")


@pytest.fixture
def store(tmp_path, monkeypatch, image):
    own = TrialStore(tmp_path / "store")
    monkeypatch.setattr(Lab, "store", own)
    return own


def test_the_order_is_kept_equal_trials_run_once_and_the_executor_is_kept_busy(store):
    place = Elsewhere({4: Ending.DEADLINE, 7: Ending.CRASHED})
    told = {}
    trials = [*EEVDF, *EEVDF[:3]]
    found = Lab(executor=place).measure(trials, told.setdefault)
    assert [one.trial for one in found] == [trial.digest for trial in trials]
    assert [told[index] for index in range(len(trials))] == found
    assert len(place.jobs) == len(EEVDF)
    assert 1 < place.most <= place.workers * place.ahead
    assert [one.outcome for one in found[3:9]] == [
        *(Outcome.INFRA_FAULT, Outcome.TIMEOUT, Outcome.INFRA_FAULT, Outcome.INFRA_FAULT, Outcome.GUEST_CRASH),
        Outcome.INFRA_FAULT,
    ]
    assert found[3].message == "seed 3"


def test_what_was_kept_is_not_run_again_and_a_fault_of_the_host_is_not_kept(store):
    first, second = Elsewhere({0: Ending.DEADLINE}), Elsewhere({1: Ending.DEADLINE})
    Lab(executor=first).measure(EEVDF[:2])
    assert store.count() == 1
    found = Lab(executor=second).measure(EEVDF[:2])
    assert len(second.jobs) == 1
    assert [one.outcome for one in found] == [Outcome.TIMEOUT] * 2
    assert [one.cached for one in found] == [True, False]


def test_a_policy_that_does_not_compile_is_an_outcome_and_no_job(store):
    place, good = Elsewhere(), EEVDF[0]
    bad = Trial(Policy("bad", "int x = ;"), good.workload)
    found = Lab(executor=place).measure([bad, good])
    assert found[0].outcome is Outcome.REJECTED
    assert found[0].message.startswith("compile: ")
    assert len(place.jobs) == 1
    assert store.count() == 0


def test_an_error_ends_all_that_runs_and_comes_out(store):
    lab = Lab(executor=Elsewhere({5: SchedcpError("no node is large enough")}))
    with pytest.raises(SchedcpError, match="large enough"):
        lab.measure(EEVDF)
    assert lab.stopped


def test_stopping_a_branch_leaves_the_lab_as_it_is(store):
    lab = Lab(executor=Elsewhere({0: Ending.DEADLINE}))
    branch = lab.branch()
    branch.stop()
    assert branch.stopped
    assert not lab.stopped
    assert branch.machine(EEVDF[0].machine).stopped
    assert not lab.machine(EEVDF[0].machine).stopped
