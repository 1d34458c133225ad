"""The lab and its store, on the real kernel: nothing is measured twice, and what is stored is what is measured."""

import dataclasses
import json
import subprocess
import sys
import threading

import pytest
from conftest import make_trial, qemus, wait_until
from typer.testing import CliRunner

from schedcp_gym.cli import app
from schedcp_gym.lab import Lab
from schedcp_gym.lab.store import TrialStore

pytestmark = pytest.mark.guest

TRIAL = make_trial("fifo", "longtail", seed=5)
MEASURE = """
import sys
sys.path[:0] = {tests!r}
from test_lab_store_guest import TRIAL
from schedcp_gym.lab import Lab
from schedcp_gym.lab.store import TrialStore
from pathlib import Path
Lab.store = TrialStore(Path({folder!r}))
(measured,) = Lab(workers=1).measure([TRIAL])
print(measured.outcome, measured.cached, measured.metrics["makespan_s"])
"""


@pytest.fixture
def store(tmp_path, monkeypatch, image):
    own = TrialStore(tmp_path / "store")
    monkeypatch.setattr(Lab, "store", own)
    return own


def start(store, request):
    tests = [str(request.path.parent), str(request.path.parents[1])]
    text = MEASURE.format(tests=tests, folder=str(store.folder))
    return subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)


def test_of_two_processes_one_measures_and_the_other_takes_over_when_it_dies(store, request):
    with start(store, request) as first:
        wait_until(lambda: qemus(first.pid))
        with start(store, request) as second, start(store, request) as third:
            first.kill()
            answers = [process.communicate()[0].split() for process in (second, third)]
    assert sorted(cached for _, cached, _ in answers) == ["False", "True"]
    assert len({metric for _, _, metric in answers}) == 1
    assert store.count() == 1


def test_threads_of_two_labs_measure_a_trial_once(store):
    found = []
    labs = [Lab(workers=1) for _ in range(2)]
    threads = [threading.Thread(target=lambda lab=lab: found.extend(lab.measure([TRIAL]))) for lab in labs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.cached for one in found) == [False, True]
    assert found[0].exact() == found[1].exact()


def test_check_runs_again_and_shows_each_figure_that_differs(store, monkeypatch):
    monkeypatch.setattr("schedcp_gym.cli.store._open", lambda: store)
    (measured,) = Lab(workers=1).measure([TRIAL])
    store.compact([])
    answer = CliRunner().invoke(app, ["store", "check"])
    assert "1 equal, 0 different" in answer.output
    assert answer.exit_code == 0
    wrong = dataclasses.replace(measured, metrics={**measured.metrics, "makespan_s": 9.75})
    store.write(Lab(workers=1).key(TRIAL), TRIAL, wrong)
    answer = CliRunner().invoke(app, ["store", "check", "--json"])
    assert answer.exit_code == 1
    (checked,) = json.loads(answer.output)
    now = measured.metrics["makespan_s"]
    assert checked["differences"] == [{"figure": "metrics.makespan_s", "stored": 9.75, "now": now}]
    assert store.find()[0].measurement.metrics["makespan_s"] == 9.75
