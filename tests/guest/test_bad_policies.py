"""Policies that fail: each an outcome with its evidence, never an exception, and never a score but the worst."""

import re

import pytest
from conftest import make_trial

from schedcp_gym.spec import REWARD_LIMIT, MachineSpec, Measurement, Outcome, Policy, Trial, reward

pytestmark = pytest.mark.guest

#: A policy with a hole for each thing that can go wrong.
SOURCE = """
#include <scx/common.bpf.h>
char _license[] SEC("license") = "GPL";
UEI_DEFINE(uei);
u64 seen;
%(globals)s
void BPF_STRUCT_OPS(bad_enqueue, struct task_struct *p, u64 enq_flags)
{
	%(enqueue)s
	scx_bpf_dsq_insert(p, SCX_DSQ_GLOBAL, 5000000, enq_flags);
}
s32 BPF_STRUCT_OPS_SLEEPABLE(bad_init)
{
	%(init)s
	return 0;
}
void BPF_STRUCT_OPS(bad_exit, struct scx_exit_info *ei)
{
	UEI_RECORD(uei, ei);
}
SCX_OPS_DEFINE(bad_ops,
	.enqueue = (void *)bad_enqueue, .init = (void *)bad_init, .exit = (void *)bad_exit,
	%(timeout)s .flags = SCX_OPS_ENQ_LAST, .name = "bad");
"""
SEEN = "if (__sync_fetch_and_add(&seen, 1) > 150 && !(p->flags & PF_KTHREAD))"


def trial(enqueue="", init="", **more):
    """A trial of a policy with such code in its callbacks."""
    code = {"globals": more.pop("globals_", ""), "enqueue": enqueue, "init": init, "timeout": more.pop("timeout", "")}
    return Trial(Policy("bad", SOURCE % code), make_trial(workload="longtail").workload, **more)


def worst(measured):
    workload = make_trial(workload="longtail").workload
    baseline = Measurement("t", Outcome.OK, dict.fromkeys(workload.metrics, 1.0))
    return measured.metrics == {} and reward(workload, measured, baseline) == -REWARD_LIMIT


def test_without_a_fault_it_works(lab):
    (measured,) = lab.measure([trial()])
    assert measured.ok, measured.message + measured.log


def test_a_source_that_does_not_compile_shows_the_compilers_own_line(lab):
    (measured,) = lab.measure([trial("no_such_function(p);\n\tint x = ;")])
    assert measured.outcome is Outcome.REJECTED
    assert measured.message.startswith("compile: policy.bpf.c:9:")
    assert "no_such_function" in measured.message
    assert "policy.bpf.c:10:" in measured.log
    assert "/tmp/" not in measured.log
    assert worst(measured)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ({"enqueue": "for (;;) seen++;"}, "infinite loop|too large|too many"),
        ({"enqueue": "u64 *at = (u64 *)p->scx.dsq_vtime; seen = *at;"}, "invalid mem access"),
        ({"enqueue": "scx_bpf_dsq_insert(0, 0, 0, 0);"}, "arg|pointer|R1"),
        ({"globals_": "extern void no_such_kfunc(void) __ksym;", "enqueue": "no_such_kfunc();"}, "no_such_kfunc"),
    ],
    ids=["endless", "bad pointer", "null task", "unknown function"],
)
def test_what_the_kernels_verifier_refuses_is_rejected_with_the_end_of_its_log(lab, code, why):
    (measured,) = lab.measure([trial(**code)])
    assert measured.outcome is Outcome.REJECTED
    assert measured.message.startswith("load: the kernel does not load the policy")
    assert "bad_enqueue" in measured.log or "no_such_kfunc" in measured.log
    assert re.search(why, measured.log)
    assert worst(measured)


def test_an_init_that_fails_is_rejected_with_the_kernels_reason(lab):
    (measured,) = lab.measure([trial(init="return -12;")])
    assert measured.outcome is Outcome.REJECTED
    assert "init" in measured.message + measured.log
    assert worst(measured)


def test_a_policy_that_gives_up_at_once_says_why(lab):
    (measured,) = lab.measure([trial(init='scx_bpf_error("not on %d CPUs", 2);')])
    assert measured.outcome is Outcome.REJECTED
    assert "not on 2 CPUs" in measured.message
    assert worst(measured)


def test_an_object_that_is_no_scheduler_is_rejected(lab):
    no_scheduler = Trial(Policy("none", "int x;"), make_trial().workload)
    other_kind = Trial(
        Policy("probe", '#include <scx/common.bpf.h>\nSEC("kprobe/schedule") int f(void *c) { return 0; }'),
        make_trial().workload,
    )
    for measured in lab.measure([no_scheduler, other_kind]):
        assert measured.outcome is Outcome.REJECTED
        assert measured.message.startswith("open: ")
        assert worst(measured)


def test_a_policy_that_stalls_is_ejected_and_its_figures_do_not_count(lab):
    (measured,) = lab.measure([trial(f"{SEEN} return;", timeout=".timeout_ms = 2000,")])
    assert measured.outcome is Outcome.EJECTED, measured.message
    assert "runnable task stall" in measured.message
    assert "failed to run for" in measured.message
    assert measured.log
    assert worst(measured)


def test_a_policy_that_fails_midway_is_ejected_with_its_own_words(lab):
    failing = trial(f'{SEEN} scx_bpf_error("enough of %s", p->comm);')
    (first,), (second,) = lab.measure([failing]), lab.measure([failing])
    assert first.outcome is Outcome.EJECTED, first.message
    assert re.search(r"scx_bpf_error: enough of \w+", first.message)
    assert worst(first)
    assert second.exact() == first.exact()


def test_a_policy_that_leaves_of_its_own_will_is_ejected_too(lab):
    (measured,) = lab.measure([trial(f'{SEEN} scx_bpf_exit(0, "bye");')])
    assert measured.outcome is Outcome.EJECTED, measured.message
    assert worst(measured)


def test_a_workload_that_does_not_end_is_a_timeout_of_guest_time(lab):
    (measured,) = lab.measure([make_trial("fifo", machine=MachineSpec(max_job_s=0.5))])
    assert measured.outcome is Outcome.TIMEOUT
    assert measured.message == "not over after 0.5 s of guest time"
    assert worst(measured)


def test_bad_and_good_policies_in_one_batch_keep_their_order(lab):
    told = {}

    def tell(index, measurement):
        assert index not in told
        told[index] = measurement

    batch = [trial("int x = ;"), make_trial("fifo", seed=9), trial(init="return -12;"), make_trial("fifo", seed=9)]
    measured = lab.measure(batch, tell)
    assert [each.outcome.value for each in measured] == ["rejected", "ok", "rejected", "ok"]
    assert [each.trial for each in measured] == [each.digest for each in batch]
    assert told == dict(enumerate(measured))
