"""A callback runs with the run queue locked: a loop has to have an end that can be seen.

Flagged as errors are loops whose only way out depends on what happens elsewhere, if there is one at all, and
functions that call themselves; as warnings very long ones, and may_goto (can_loop, cond_break), whose end is a time
limit. The kernel's iterators (bpf_for, bpf_for_each) end by themselves.
"""

from collections.abc import Iterator

from schedcp_gym.control.verifier.report import Severity
from schedcp_gym.control.verifier.source.flow import Flow, Frame
from schedcp_gym.control.verifier.source.model import Function, Node
from schedcp_gym.control.verifier.source.rule import Hit, Rule

_LONG = 1 << 20
_WAYS_OUT = ("Break", "Return", "Goto")


def _check(flow: Flow) -> Iterator[Hit]:
    for function in flow.program.own_functions:
        left = _in_loops_that_may_be_left(function)
        for node in function.body.walk():
            if node.kind in ("For", "While", "Do") and _endless(node):
                yield Hit(node.line, "the loop has no end")
            elif node.kind == "Asm" and _is_may_goto(node):
                yield Hit(node.line, "the loop ends by may_goto's time limit only", Severity.WARNING)
            elif node.kind == "Call" and node not in left:
                yield from _long(flow, function, node)
        if any(call.name == function.name for call in flow.reach(function)):
            yield Hit(function.line, f"{function.name}() calls itself")


def _in_loops_that_may_be_left(function: Function) -> set[Node]:
    """Return the nodes of iterator loops with a break: their number of turns is only an upper bound."""
    loops = (node for node in function.body.walk() if node.kind == "For")
    return {part for loop in loops if any(node.kind in _WAYS_OUT for node in loop.walk()) for part in loop.walk()}


def _endless(loop: Node) -> bool:
    if any(node.kind == "Asm" or (node.kind == "Call" and node.name.startswith("bpf_iter_")) for node in loop.walk()):
        return False
    if loop.kind == "For" and len(loop.children) > 1:
        return False
    condition = None if loop.kind == "For" else loop.children[0 if loop.kind == "While" else -1]
    if condition and not (condition.name == "true" or (condition.kind == "Int" and condition.value)):
        return False
    ways_out = any(node.kind in _WAYS_OUT for node in loop.walk())
    return not (ways_out and _counts(loop))


def _counts(loop: Node) -> bool:
    """Return whether a condition looks at a number that grows or shrinks."""
    counted = {node.target.variable for node in loop.walk() if node.target and _is_step(node)}
    asked = {part.variable for node in loop.walk() if node.kind == "If" for part in node.children[0].walk()}
    return bool((counted & asked) - {None})


def _is_step(write: Node) -> bool:
    """Return whether a write changes a variable by some amount: ``i++``, ``i += 2``, ``i = i + 2``."""
    variable = write.children[0].variable
    return write.name != "=" or variable is None or any(part.variable == variable for part in write.children[1].walk())


def _is_may_goto(node: Node) -> bool:
    return any(child.kind == "String" and "may_goto" in str(child.value) for child in node.walk())


def _long(flow: Flow, function: Function, call: Node) -> Iterator[Hit]:
    """Find loops whose number of turns is known, and huge."""
    at = {"bpf_loop": 0, "bpf_iter_num_new": 2}.get(call.name)
    if at is None or at >= len(call.arguments):
        return
    turns = flow.value(call.arguments[at], Frame(function, {}))
    if turns.constant and min(turns.known) > _LONG:
        yield Hit(call.line, f"the loop may take {min(turns.known)} turns", Severity.WARNING)


RULE = Rule(
    id="unbounded-loop",
    why="the CPU schedules no task while a callback runs",
    fix="Use bpf_for(i, 0, n) with a small n, or bpf_for_each().",
    check=_check,
)
