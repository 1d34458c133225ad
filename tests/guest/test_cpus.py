"""CPUs of the virtual machine: equally fast, and really parallel."""

import json

import pytest

from schedcp_gym.spec import MachineSpec

pytestmark = pytest.mark.guest

#: Times a fixed loop on each CPU alone, then on all at once, in milliseconds.
LOOPS = """#!/usr/bin/python3
import json, os, subprocess, sys, time

LOOP = "i=0; while [ $i -lt %d ]; do i=$((i+1)); done"

def run(cpus):
    started, ended = {}, {}
    for cpu in cpus:
        begun = time.monotonic_ns()
        child = subprocess.Popen(["taskset", "-c", str(cpu), "sh", "-c", LOOP])
        started[child.pid] = cpu, begun
    for _ in cpus:
        pid, status = os.wait()
        cpu, begun = started[pid]
        assert status == 0
        ended[cpu] = (time.monotonic_ns() - begun) / 1e6
    return [ended[cpu] for cpu in cpus]

cpus = range(os.cpu_count())
print(json.dumps({"alone": [run([cpu])[0] for cpu in cpus], "all": run(cpus)}))
"""


def measure(run_job, iterations, on=None):
    result = run_job(LOOPS % iterations, on=on)
    assert result.code == 0, result.text("stderr")
    return json.loads(result.text("stdout"))


def spread(values):
    return max(values) / min(values) - 1


def test_two_cpus_are_equal_within_4_percent_and_two_loops_take_as_long_as_one(run_job):
    taken = measure(run_job, 6000)
    assert len(taken["alone"]) == 2
    assert spread(taken["alone"]) <= 0.04
    assert spread(taken["all"]) <= 0.04
    assert max(taken["all"]) <= 1.04 * min(taken["alone"])


def test_four_cpus_are_equal_within_20_percent(run_job, lab):
    taken = measure(run_job, 1200, on=lab.machine(MachineSpec(cpus=4)))
    assert len(taken["alone"]) == 4
    assert spread(taken["alone"]) <= 0.20
    assert spread(taken["all"]) <= 0.20


def test_all_cpus_are_up_and_no_ghost_is(run_job):
    result = run_job("nproc; cat /sys/devices/system/cpu/online /sys/devices/system/cpu/possible")
    assert result.text("stdout").split() == ["2", "0-1", "0-1"]
