"""The battery in the machine: the good pass, each case finds its fault, and figures are exact."""

import dataclasses
from pathlib import Path

import pytest

from schedcp_gym.control.verifier.behaviour import check_behaviour
from schedcp_gym.control.verifier.behaviour.case import load_cases, on_machine
from schedcp_gym.control.verifier.reference import parts_of
from schedcp_gym.lab import catalogue
from schedcp_gym.lab.compiler import compile_policy
from schedcp_gym.spec import MachineSpec, Policy

pytestmark = pytest.mark.guest

FAULTY = Path(__file__).with_name("faulty.bpf.c").read_text()
CASES = {case.name: case for case in load_cases()}
FLAT = MachineSpec()
LLC, SMT = (MachineSpec(cpus=8, topology=shape) for shape in ("1x2x4x1", "1x1x4x2"))
#: Beside the case itself, one whose tasks the fault needs.
COMPANY = {"account": ("account", "forks")}


def machine_for(case):
    """The default machine, or one that has what a case needs."""
    return next(spec for spec in (FLAT, LLC, SMT) if parts_of(spec).holds(case.needs))


def check(lab, policy, cases=None, spec=FLAT):
    compiled = None if policy.is_eevdf else compile_policy(policy.source, lab.image("debian"))
    return check_behaviour(policy, lab, spec, compiled, cases=cases)


def _changed(old, new):
    assert old in FAULTY
    return FAULTY.replace(old, new)


@pytest.mark.parametrize("name", ["eevdf", "fifo", "vtime"])
def test_good_schedulers_pass_the_whole_battery(lab, name):
    report = check(lab, catalogue.load_policy(name))
    assert report.passed, report.summary + "\n" + report.evidence
    assert {figure.case for figure in report.figures} == {case.name for case in CASES.values() if not case.travels}


@pytest.mark.parametrize("name", ["eevdf", "fifo", "vtime"])
@pytest.mark.parametrize("spec", [LLC, SMT], ids=["llc", "smt"])
def test_good_schedulers_pass_what_a_topology_adds(lab, name, spec):
    cases = [case for case in CASES.values() if case.travels]
    report = check(lab, catalogue.load_policy(name), cases, spec)
    assert report.passed, report.summary + "\n" + report.evidence
    assert {figure.case for figure in report.figures} == {case.name for case in on_machine(spec, cases)}


def test_the_faulty_policy_without_its_fault_passes(lab):
    topology = [case for case in CASES.values() if case.travels]
    for cases, spec in ((None, FLAT), (topology, LLC), (topology, SMT)):
        report = check(lab, Policy("faulty", FAULTY), cases, spec)
        assert report.passed, report.summary + "\n" + report.evidence


@pytest.mark.parametrize("name", sorted(CASES))
def test_each_case_finds_the_fault_that_it_is_for(lab, name):
    cases = tuple(CASES[each] for each in COMPANY.get(name, (name,)))
    report = check(lab, Policy("faulty", f"#define FAULT_{name}\n{FAULTY}"), cases, machine_for(CASES[name]))
    assert not report.passed
    assert not report.infra_fault
    assert any(figure.case == name and not figure.kept for figure in report.figures), report.summary
    assert report.evidence


def test_figures_are_exact_from_run_to_run(lab):
    short = load_cases(smoke=True)
    first, second = (check(lab, catalogue.load_policy("fifo"), short) for _ in range(2))
    assert first.passed, first.summary
    assert dataclasses.replace(second, timings_s={}) == dataclasses.replace(first, timings_s={})


def test_an_ejected_policy_is_named_with_the_case_and_the_kernels_reason(lab):
    broken = _changed(
        "scx_bpf_dsq_insert_vtime(p, dsq_of(p)",
        'if (turns > 500) scx_bpf_error("enough"); scx_bpf_dsq_insert_vtime(p, dsq_of(p)',
    )
    report = check(lab, Policy("broken", broken), (CASES["conservation"], CASES["fairness"]))
    assert not report.passed
    assert report.summary.split(":")[0] in ("conservation", "fairness")
    assert "enough" in report.summary + report.evidence
    assert "sched_ext" in report.evidence


def test_a_policy_that_the_kernel_refuses_fails_with_its_reason(lab):
    report = check(lab, Policy("refused", _changed("return create_dsqs(FAULTY_OWN);", "return -12;")))
    assert not report.passed
    assert "rejected" in report.summary
