"""ops.select_cpu is not asked for tasks bound to one CPU, kernel threads among them: their way is ops.enqueue alone.

They starve when they wait where their CPU never looks: in the queue of a CPU chosen without regard to them, or in
queues that only one CPU empties. A fixed order of queues in ops.dispatch, the bound tasks' not first, is a warning:
it is harmless only when the queues before it run empty now and then.
"""

from collections.abc import Iterator

from schedcp_gym.control.verifier.report import Severity
from schedcp_gym.control.verifier.source import kfuncs
from schedcp_gym.control.verifier.source.affinity import is_blind, looks_at_affinity
from schedcp_gym.control.verifier.source.flow import Flow
from schedcp_gym.control.verifier.source.model import Function, Node
from schedcp_gym.control.verifier.source.queues import consumers, inserts
from schedcp_gym.control.verifier.source.rule import Hit, Rule

_ABOUT_THE_TASK = ("if_runnable", "is_bound", "is_cpu_kthread")


def _check(flow: Flow) -> Iterator[Hit]:
    yield from _blind_queues(flow)
    dispatch = flow.program.callbacks.get("dispatch")
    if not dispatch:
        return
    pushes = any(use.call.name in kfuncs.MOVE or use.ids.bases & {kfuncs.LOCAL_ON} for use in inserts(flow))
    if not pushes and (number := _only_cpu(dispatch)) is not None:
        yield Hit(dispatch.line, f"only CPU {number} takes tasks out of queues")
    yield from _fixed_order(flow, dispatch)


def _blind_queues(flow: Flow) -> Iterator[Hit]:
    """Find per-CPU queues, each emptied by its own CPU, that tasks are put into without a look at their CPUs."""
    taken = consumers(flow)
    own = [use for use in taken if use.call.name in kfuncs.MOVE_TO_LOCAL and use.ids.bases and not use.ids.known]
    for use in own:
        origins = flow.origins(use.queue, use.call.frame)
        if use.ids.unknown or not origins <= {"const", "param cpu", "call bpf_get_smp_processor_id"}:
            return
    if len(own) != len(taken) or not own or "enqueue" not in flow.calls:
        return
    if looks_at_affinity(flow, "enqueue"):
        return
    for use in inserts(flow):
        if use.call.name not in kfuncs.INSERT or use.ids.unknown or use.ids.known:
            continue
        own_bases = {base for base in use.ids.bases if not base & kfuncs.BUILT_IN}
        if own_bases and is_blind(flow, use.queue, use.call.frame):
            yield Hit(
                use.call.line, "the task waits in the queue of a CPU that was chosen without a look at p->cpus_ptr"
            )


def _only_cpu(dispatch: Function) -> int | None:
    """Return the only CPU that takes tasks out: ``if (cpu != 0) return;`` first, or all under ``if (cpu == 0)``."""
    statements = [node for node in dispatch.body.children if node.kind != "Decl"]
    if not statements or statements[0].kind != "If" or len(statements[0].children) != 2:
        return None
    condition, then = statements[0].children
    if condition.kind != "Binary" or not {child.name for child in condition.children} & {"cpu"}:
        return None
    number = next((child.value for child in condition.children if child.kind == "Int"), None)
    leaves = then.kind == "Return" or (
        then.kind == "Block" and bool(then.children) and then.children[0].kind == "Return"
    )
    if isinstance(number, int):
        if condition.name == "!=" and leaves:
            return number
        if condition.name == "==" and len(statements) == 1:
            return number
    return None


def _fixed_order(flow: Flow, dispatch: Function) -> Iterator[Hit]:
    """Find queues that are emptied one after the other in an order that never changes."""
    if any(_changes_order(node) for node in dispatch.body.walk()):
        return
    order = [use for use in consumers(flow) if use.call.frame.function.name == dispatch.name]
    order.sort(key=lambda use: use.call.node.line)
    if any(use.ids.unknown for use in order) or len(order) != len(consumers(flow)):
        return
    late = [use for use in order[1:] if use.ids.bases]
    if late and order[0].ids.constant:
        what = f"CPU queues are served only while queue {min(order[0].ids.known)} is empty"
        yield Hit(late[0].call.line, what, Severity.WARNING)


def _changes_order(node: Node) -> bool:
    """Return whether a decision depends on more than the task that ran, the CPU, and whether a task moved."""
    if node.kind in ("For", "While", "Do", "Goto"):
        return True
    if node.kind not in ("If", "Cond", "Switch"):
        return False
    for part in node.children[0].walk():
        if part.kind == "Call" and part.name not in (*kfuncs.MOVE_TO_LOCAL, *_ABOUT_THE_TASK):
            return True
        if part.kind == "Subscript" or (part.variable is not None and part.name not in ("cpu", "prev")):
            return True
    return False


RULE = Rule(
    id="pinned-may-starve",
    why="tasks bound to one CPU, kernel threads among them, may wait there without end",
    fix="Put tasks with p->nr_cpus_allowed == 1 on SCX_DSQ_LOCAL, or into a queue that their own CPU serves in turn.",
    check=_check,
)
