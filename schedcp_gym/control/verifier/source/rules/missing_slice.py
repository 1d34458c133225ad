"""The slice is the time a task may run. 0 leaves what was left of the last one: nothing, for a task that used it up.

A slice without end (SCX_SLICE_INF) is right only where something takes the CPU away again: a kick with preemption, or
a slice that is set anew. Slices computed at run time are not judged.
"""

from collections.abc import Iterator

from schedcp_gym.control.verifier.report import Severity
from schedcp_gym.control.verifier.source import kfuncs
from schedcp_gym.control.verifier.source.flow import Flow
from schedcp_gym.control.verifier.source.rule import Hit, Rule

_PREEMPT = 2


def _check(flow: Flow) -> Iterator[Hit]:
    if _sets_slices(flow):
        return
    preempts = _may_preempt(flow)
    for call in flow.all_calls:
        if call.name not in kfuncs.INSERT or len(call.node.arguments) < 3:
            continue
        slice_ns = flow.value(call.node.arguments[2], call.frame)
        if slice_ns.constant and slice_ns.known == {0}:
            yield Hit(call.line, "the task is queued with a slice of 0")
        elif slice_ns.constant and slice_ns.known == {kfuncs.SLICE_INFINITE} and not preempts:
            yield Hit(call.line, "the slice has no end, and nothing preempts the task", Severity.WARNING)


def _sets_slices(flow: Flow) -> bool:
    """Return whether slices are also set by other means."""
    if any(call.name in kfuncs.SET_SLICE for call in flow.all_calls):
        return True
    written = (node.target for node in flow.program.own_nodes if node.kind == "Binary" and node.name == "=")
    return any(target and target.kind == "Member" and target.name == "slice" for target in written)


def _may_preempt(flow: Flow) -> bool:
    for call in flow.all_calls:
        if call.name == "scx_bpf_kick_cpu":
            flags = flow.value(call.node.arguments[1], call.frame)
            if not flags.constant or any(number & _PREEMPT for number in flags.known):
                return True
        elif call.name in kfuncs.INSERT and any(node.name == "SCX_ENQ_PREEMPT" for node in call.node.walk()):
            return True
    return False


RULE = Rule(
    id="missing-slice",
    why="a task then runs for at most one tick, or without a limit",
    fix="Give SCX_SLICE_DFL or a slice of your own in nanoseconds.",
    check=_check,
)
