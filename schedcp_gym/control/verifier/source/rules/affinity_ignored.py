"""A task may run on the CPUs of ``p->cpus_ptr`` only.

Putting it on another's local queue (``SCX_DSQ_LOCAL_ON | cpu``) gets the policy ejected; an unusable answer of
ops.select_cpu is silently replaced. Flagged when the CPU comes from counters, constants or random numbers, and
neither the callback nor a helper of it reads cpus_ptr or nr_cpus_allowed, nor one that may have kept a copy
(init_task, enable, set_cpumask); a CPU from the kernel's own choice, from the task or from memory is not judged.
"""

from collections.abc import Iterator

from schedcp_gym.control.verifier.report import Severity
from schedcp_gym.control.verifier.source import kfuncs
from schedcp_gym.control.verifier.source.affinity import is_blind, looks_at_affinity
from schedcp_gym.control.verifier.source.flow import Flow, Frame
from schedcp_gym.control.verifier.source.queues import inserts
from schedcp_gym.control.verifier.source.rule import Hit, Rule


def _check(flow: Flow) -> Iterator[Hit]:
    for callback, calls in flow.calls.items():
        if looks_at_affinity(flow, callback):
            continue
        for use in inserts(flow, calls):
            if use.ids.unknown or not any(number >= kfuncs.LOCAL_ON for number in use.ids.known | use.ids.bases):
                continue
            if is_blind(flow, use.queue, use.call.frame, ("param cpu",) if callback == "dispatch" else ()):
                yield Hit(use.call.line, "the task is put on a CPU that was chosen without a look at p->cpus_ptr")
    yield from _answers(flow)


def _answers(flow: Flow) -> Iterator[Hit]:
    """Check the return values of ops.select_cpu."""
    function = flow.program.callbacks.get("select_cpu")
    if not function or looks_at_affinity(flow, "select_cpu"):
        return
    for node in function.body.walk():
        if node.kind == "Return" and node.children and is_blind(flow, node.children[0], Frame(function, {})):
            what = "ops.select_cpu returns a CPU that was chosen without a look at p->cpus_ptr"
            yield Hit(node.line, what, Severity.WARNING)


RULE = Rule(
    id="affinity-ignored",
    why="a task bound elsewhere must not run there",
    fix="Check bpf_cpumask_test_cpu(cpu, p->cpus_ptr) first, or take one from scx_bpf_pick_idle_cpu(p->cpus_ptr, 0).",
    check=_check,
)
