"""The battery in the machine: the good pass, each case finds its fault, and figures are exact."""

import dataclasses
from pathlib import Path

import pytest

from schedcp_gym.control.verifier.behaviour import check_behaviour
from schedcp_gym.control.verifier.behaviour.case import load_cases
from schedcp_gym.lab import catalogue
from schedcp_gym.lab.compiler import compile_policy
from schedcp_gym.spec import MachineSpec, Policy

pytestmark = pytest.mark.guest

FAULTY = Path(__file__).with_name("faulty.bpf.c").read_text()
CASES = {case.name: case for case in load_cases()}
#: Beside the case itself, one whose tasks the fault needs.
COMPANY = {"account": ("account", "forks")}


def check(lab, policy, cases=None):
    compiled = None if policy.is_eevdf else compile_policy(policy.source, lab.image("debian"))
    return check_behaviour(policy, lab, MachineSpec(), compiled, cases=cases)


def _changed(old, new):
    assert old in FAULTY
    return FAULTY.replace(old, new)


@pytest.mark.parametrize("name", ["eevdf", "fifo", "vtime"])
def test_good_schedulers_pass_the_whole_battery(lab, name):
    report = check(lab, catalogue.load_policy(name))
    assert report.passed, report.summary + "\n" + report.evidence
    assert {figure.case for figure in report.figures} == set(CASES)


def test_the_faulty_policy_without_its_fault_passes(lab):
    report = check(lab, Policy("faulty", FAULTY))
    assert report.passed, report.summary + "\n" + report.evidence


@pytest.mark.parametrize("name", sorted(CASES))
def test_each_case_finds_the_fault_that_it_is_for(lab, name):
    cases = tuple(CASES[each] for each in COMPANY.get(name, (name,)))
    report = check(lab, Policy("faulty", f"#define FAULT_{name}\n{FAULTY}"), cases)
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
