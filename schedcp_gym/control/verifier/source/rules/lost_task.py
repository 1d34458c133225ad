"""ops.enqueue has to put the task somewhere on every way through it: one that returns without has lost the task.

All ways are followed, through helpers too. Handing the task to a map, list or tree of the policy's own counts, and so
does ending the policy with scx_bpf_error(). A way that begins with a NULL pointer is a warning: it is often there for
the kernel's verifier only. Ways whose conditions depend on each other (flags, chains of comparisons) are not judged.
A map that may be full has to be asked whether it took the task.
"""

from collections.abc import Iterator

from schedcp_gym.control.verifier.report import Severity
from schedcp_gym.control.verifier.source.flow import Flow
from schedcp_gym.control.verifier.source.paths import Ways
from schedcp_gym.control.verifier.source.rule import Hit, Rule


def _check(flow: Flow) -> Iterator[Hit]:
    enqueue = flow.program.callbacks.get("enqueue")
    yield from _unasked_pushes(flow)
    if not enqueue or any(call.name == "bpf_task_from_pid" for call in flow.all_calls):
        return
    for loss in Ways(flow).losses(enqueue):
        severity = Severity.WARNING if loss.null_check else None
        yield Hit(loss.line, "ops.enqueue may end here with the task in no queue", severity)


def _unasked_pushes(flow: Flow) -> Iterator[Hit]:
    """Find pushes whose result is not used: a queue or stack map refuses the task when it is full."""
    for node in flow.program.own_nodes:
        if node.kind in ("Block", "If", "For", "While"):
            statements = node.children if node.kind == "Block" else node.children[1:]  # the first is the condition
            for call in statements:
                if call.kind == "Call" and call.name == "bpf_map_push_elem":
                    yield Hit(
                        call.line,
                        "the result is not checked: the map may have no room for the task",
                    )


RULE = Rule(
    id="lost-task",
    why="a task that is put nowhere never runs again, until the watchdog ejects the policy",
    fix="Insert it into a queue on every way; where something is missing, fall back to SCX_DSQ_GLOBAL.",
    check=_check,
)
