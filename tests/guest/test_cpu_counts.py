"""Kernel, policies and the verifier's own programs on machines of one CPU to sixteen."""

import pytest

from schedcp_gym.control.verifier.behaviour import check_behaviour
from schedcp_gym.control.verifier.behaviour.case import load_cases
from schedcp_gym.control.verifier.kernel import check_kernel
from schedcp_gym.lab import catalogue
from schedcp_gym.lab.compiler import compile_policy
from schedcp_gym.spec import MachineSpec

pytestmark = pytest.mark.guest

#: A look at what is up, and as much work on each CPU at once as a CPU of its own would do: nobody is left out.
LOOK = """
nproc; cat /sys/devices/system/cpu/online
for cpu in $(seq 0 $(($(nproc) - 1))); do
    taskset -c $cpu sh -c 'i=0; while [ $i -lt 300 ]; do i=$((i+1)); done; echo worked' &
done; wait
"""
#: Cases that treat the machine as a whole, in little time.
QUICK = ("affinity", "conservation", "cpu_offline")


#: Up to two CPUs share nothing that costs time; more of them are the machines that there are.
MACHINES = {
    1: MachineSpec(cpus=1),
    2: MachineSpec(),
    4: MachineSpec(topology="1x2x2x1"),
    8: MachineSpec(topology="2x1x2x2"),
    16: MachineSpec(topology="1x4x4x1"),
}


@pytest.fixture(scope="module", params=MACHINES)
def spec(request):
    return MACHINES[request.param]


def test_all_cpus_are_up_and_work(run_job, lab, spec):
    up, online, *worked = run_job(LOOK, on=lab.machine(spec)).text("stdout").split()
    assert int(up) == spec.cpus
    assert online == (f"0-{spec.cpus - 1}" if spec.cpus > 1 else "0")
    assert worked == ["worked"] * spec.cpus


def test_the_kernel_stage_loads_a_policy(lab, image, spec):
    policy = catalogue.load_policy("vtime")
    report = check_kernel(policy, compile_policy(policy.source, image), lab.machine(spec))
    assert report.passed, report.summary
    assert "vtime_dispatch" in {figure.case for figure in report.figures}


@pytest.mark.parametrize("name", ["eevdf", "fifo"])
def test_the_battery_runs_and_good_schedulers_pass(lab, image, spec, name):
    policy = catalogue.load_policy(name)
    compiled = None if policy.is_eevdf else compile_policy(policy.source, image)
    cases = [case for case in load_cases() if case.name in QUICK]
    report = check_behaviour(policy, lab, spec, compiled, cases=cases)
    assert report.passed, report.summary + "\n" + report.evidence
    assert {figure.case for figure in report.figures} == set(QUICK)
