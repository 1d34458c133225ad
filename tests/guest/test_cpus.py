"""CPUs of the virtual machine: equally fast, and really parallel."""

import json

import pytest

from schedcp_gym.lab import catalogue

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


@pytest.mark.parametrize(("preset", "cpus"), [("llc", 8), ("smt", 8), ("numa", 8), ("1x1x4x1", 4)])
def test_cpus_of_a_topology_are_equal_within_4_percent(run_job, lab, preset, cpus):
    spec = catalogue.load_machine(preset, cache_model=False)
    taken = measure(run_job, 5000, on=lab.machine(spec))
    assert len(taken["alone"]) == cpus
    assert spread(taken["alone"]) <= 0.12
    assert spread(taken["all"]) <= 0.04


SHAPE = """
lscpu --parse=CPU,CORE,SOCKET,NODE | grep -v '^#'
cat /sys/devices/system/cpu/cpu0/cache/index3/shared_cpu_list
cat /sys/devices/system/cpu/cpu0/topology/thread_siblings_list
grep -h '^domain' /proc/schedstat | cut -d' ' -f2 | sort -u
cat /sys/module/even_turns/parameters/missed
"""


def test_the_kernel_sees_the_topology(run_job, lab):
    lines = run_job(SHAPE, on=lab.machine(catalogue.load_machine("2x1x2x2"))).text("stdout").split()
    assert lines[:8] == ["0,0,0,0", "1,0,0,0", "2,1,0,0", "3,1,0,0", "4,2,1,1", "5,2,1,1", "6,3,1,1", "7,3,1,1"]
    assert lines[8:10] == ["0-3", "0-1"]
    assert lines[10:13] == ["MC", "NUMA", "SMT"]
    # The guard of each round was moved in time, but for the first few.
    assert int(lines[13]) <= 2


def test_all_cpus_are_up_and_no_ghost_is(run_job):
    result = run_job("nproc; cat /sys/devices/system/cpu/online /sys/devices/system/cpu/possible")
    assert result.text("stdout").split() == ["2", "0-1", "0-1"]
