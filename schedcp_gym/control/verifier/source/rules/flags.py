"""Flags of the table that need something else to go with them.

SCX_OPS_SWITCH_PARTIAL leaves all tasks of class SCHED_OTHER with EEVDF. The deployment decides that, not the policy.
SCX_OPS_ENQ_LAST asks for the last runnable task too: ops.enqueue has to put it on a queue that its CPU
looks at, or kick.
"""

from collections.abc import Iterator

from schedcp_gym.control.verifier.report import Severity
from schedcp_gym.control.verifier.source.flow import Flow
from schedcp_gym.control.verifier.source.rule import Hit, Rule


def _check(flow: Flow) -> Iterator[Hit]:
    flags = flow.program.field("flags")
    if flags is None:
        return
    names = {node.name for node in flags.walk() if node.kind == "Ref"}
    if "SCX_OPS_SWITCH_PARTIAL" in names:
        yield Hit(flags.line, "SCX_OPS_SWITCH_PARTIAL leaves ordinary tasks with the kernel's own scheduler")
    if "SCX_OPS_ENQ_LAST" in names and not _handles_last(flow):
        what = "SCX_OPS_ENQ_LAST is set, and ops.enqueue neither asks for SCX_ENQ_LAST nor kicks a CPU"
        yield Hit(flags.line, what, Severity.WARNING)


def _handles_last(flow: Flow) -> bool:
    if any(call.name == "scx_bpf_kick_cpu" for call in flow.calls.get("enqueue", [])):
        return True
    return any(
        node.kind == "Ref" and node.name == "SCX_ENQ_LAST"
        for function in flow.program.functions.values()
        for node in function.body.walk()
    )


RULE = Rule(
    id="flags-need-more",
    why="a policy that schedules no task, or lets its last task wait, is of no use",
    fix="Leave the flag out.",
    check=_check,
)
