"""The kernel stage: what is loaded, what is refused, and the evidence an agent gets."""

import pytest

from schedcp_gym.control.verifier.kernel import check_kernel, instruction_counts, what_matters
from schedcp_gym.control.verifier.report import Stage
from schedcp_gym.lab import catalogue
from schedcp_gym.lab.compiler import compile_policy
from schedcp_gym.spec import Policy

STATISTICS = """\
mine_enqueue: verification time 17188 usec
stack depth max 48
subprog 0 (mine_enqueue) main insns_self 143 insns_total 143 stack 40
processed 143 insns (limit 1000000) max_states_per_insn 1 total_states 11 peak_states 11 mark_read 0
mine_init: processed 65 insns (limit 1000000) max_states_per_insn 1 total_states 8 peak_states 8 mark_read 0
"""
OLD_REFUSAL = """\
libbpf: prog 'mine_running': BPF program load failed: Permission denied
libbpf: prog 'mine_running': -- BEGIN PROG LOAD LOG --
0: R1=ctx() R10=fp0
; *last = p->se.sum_exec_runtime; @ policy.bpf.c:153
13: (7b) *(u64 *)(r2 +0) = r1
R2 invalid mem access 'scalar'
processed 92 insns (limit 1000000) max_states_per_insn 1 total_states 9 peak_states 9 mark_read 0
-- END PROG LOAD LOG --
"""


def test_instructions_are_counted_by_callback_as_newer_and_older_kernels_say_them():
    found = {figure.case: (figure.value, figure.limit, figure.kept) for figure in instruction_counts(STATISTICS)}
    assert found == {"mine_enqueue": (143, 1_000_000, True), "mine_init": (65, 1_000_000, True)}


def test_an_older_kernels_refusal_is_its_last_lines_without_the_statistics():
    assert what_matters(OLD_REFUSAL).splitlines() == [
        "program mine_running:",
        "0: R1=ctx() R10=fp0",
        "; *last = p->se.sum_exec_runtime; @ policy.bpf.c:153",
        "13: (7b) *(u64 *)(r2 +0) = r1",
        "R2 invalid mem access 'scalar'",
    ]


@pytest.fixture(scope="module")
def check(machine):
    """Takes vtime with a piece of its source replaced, and tunables, to the stage."""

    def run(old="", new="", tunables=()):
        source = catalogue.load_policy("vtime").source
        assert old in source
        policy = Policy("mine", source.replace(old, new), tunables)
        return check_kernel(policy, compile_policy(policy.source, machine.image), machine)

    return run


@pytest.mark.guest
def test_a_good_policy_is_loaded_and_its_instructions_counted(check):
    report = check()
    assert report.passed, report.summary
    assert (report.stage, report.evidence, report.findings) == (Stage.KERNEL, "", ())
    assert {"vtime_enqueue", "vtime_dispatch", "vtime_init"} <= {figure.case for figure in report.figures}
    assert all(1 <= figure.value < 5000 for figure in report.figures)
    assert "vtime_dispatch" in report.summary  # the most complex one
    assert "processed" in report.log


@pytest.mark.guest
def test_a_refusal_names_program_reason_and_line_first(check):
    report = check("	if (last)\n		*last = p->se", "	*last = p->se")
    assert not report.passed
    assert not report.infra_fault
    assert "the kernel does not load the policy: R2 invalid mem access 'scalar'" in report.summary
    first, *rest = report.evidence.splitlines()
    assert first == "program vtime_running:"
    assert "R2 invalid mem access 'scalar'" in rest[0]
    assert any("*last = p->se.sum_exec_runtime" in line for line in rest)
    assert len(report.evidence) < 2000 < len(report.log)


@pytest.mark.guest
def test_a_loop_without_end_is_the_kernels_to_refuse(check):
    report = check(
        "return create_dsqs(VTIME_BOUND);",
        "volatile u64 n = 1; while (n) n += 2;\n\treturn create_dsqs(VTIME_BOUND);",
    )
    assert not report.passed
    assert "vtime_init" in report.evidence
    assert report.summary.startswith("load: ")


@pytest.mark.guest
def test_a_policy_that_fails_at_init_is_caught_here_with_its_reason(check):
    report = check("return create_dsqs(VTIME_BOUND);", "create_dsqs(VTIME_BOUND); return -12;")
    assert not report.passed
    assert report.summary.startswith("enable: the policy was not enabled")
    assert "-12" in report.summary


@pytest.mark.guest
def test_a_tunable_the_object_lacks_is_said(check):
    report = check(tunables=(("slice_ms", 3),))
    assert not report.passed
    assert report.summary == "tunables: the policy has no tunable slice_ms"
