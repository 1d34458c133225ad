"""A run on a machine with a topology is a pure function too: alone, beside others, cold, from another snapshot."""

import threading

import pytest
from conftest import job, make_trial, repeatable
from test_exactness import NOISE, same

from schedcp_gym.lab import Lab, catalogue
from schedcp_gym.machine.snapshot import snapshot_path

pytestmark = pytest.mark.guest

PRESETS = ("llc", "smt", "numa", "large")


@pytest.mark.parametrize("preset", PRESETS)
def test_a_job_that_prints_what_could_differ(lab, preset, tmp_path, monkeypatch):
    machine = lab.machine(catalogue.load_machine(preset))
    first = machine.run(job(NOISE))
    assert first.code == 0, first.text("stderr")
    assert "cold_l2_ns" in first.text("costs.tsv")
    for _ in range(2):
        same(first, machine.run(job(NOISE)))
    results = [None] * 4

    def run(place):
        results[place] = machine.run(job(NOISE))

    threads = [threading.Thread(target=run, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        same(first, result)
    cold = machine.run(job(NOISE), cold=True)
    assert {name: cold.files[name] for name in first.files} == dict(first.files)
    monkeypatch.setenv("SCHEDCP_CACHE", str(tmp_path))
    assert not snapshot_path(machine.image, machine.qemu, machine.spec, machine.accelerator).exists()
    again = machine.run(job(NOISE))
    assert repeatable(again) == repeatable(first)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_whole_trial_with_its_cache_costs(lab, preset):
    trial = make_trial("fifo", machine=catalogue.load_machine(preset), seed=5)
    first, other = lab.measure([trial, make_trial("vtime", machine=trial.machine, seed=5)])
    assert first.ok, first.message
    assert other.ok, other.message
    assert first.caches
    (again,) = Lab(cache=False).measure([trial])
    assert again.exact() == first.exact()
    assert again.digests == first.digests


def test_without_the_cache_model_nothing_is_charged_and_the_machine_is_another(lab):
    free = catalogue.load_machine("llc", cache_model=False)
    trial, charged = make_trial(machine=free), make_trial(machine=catalogue.load_machine("llc"))
    assert trial.digest != charged.digest
    assert lab.machine(free).digest != lab.machine(charged.machine).digest
    (measured,) = lab.measure([trial])
    assert measured.ok, measured.message
    assert measured.caches == {}
