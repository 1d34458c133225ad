"""Kicks and other calls into the scheduler do not belong between taking a bpf_spin_lock and releasing it.

Interrupts are off meanwhile and no other CPU gets past the lock; the kernel's verifier refuses most such calls. The
statements between lock and unlock are followed in order; a branch that unlocks and returns does not release the others.
"""

from schedcp_gym.control.verifier.source.flow import Flow
from schedcp_gym.control.verifier.source.kfuncs import PRIMITIVES
from schedcp_gym.control.verifier.source.model import Node
from schedcp_gym.control.verifier.source.rule import Hit, Rule

_LOCK = ("bpf_spin_lock", "bpf_res_spin_lock")
_UNLOCK = ("bpf_spin_unlock", "bpf_res_spin_unlock")
_LEAVES = ("Return", "Goto", "Break", "Continue")


def _check(flow: Flow) -> list[Hit]:
    walk = _Walk(flow)
    for function in flow.program.own_functions:
        walk.go(function.body, False)
    return walk.found


class _Walk:
    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.found: list[Hit] = []

    def go(self, node: Node, held: bool) -> bool:
        """Follow a statement, and return whether the lock is held after it."""
        if node.kind == "If":
            held = self.go(node.children[0], held)
            ends = [held if _leaves(branch) else self.go(branch, held) for branch in node.children[1:]]
            for branch in node.children[1:]:
                if _leaves(branch):
                    self.go(branch, held)
            return any(ends) if len(ends) > 1 else held and all(ends)
        for child in node.children:
            held = self.go(child, held)
        if node.kind == "Call":
            if node.name in _LOCK:
                return True
            if node.name in _UNLOCK:
                return False
            if held and self.schedules(node.name):
                self.found.append(Hit(node.line, f"{node.name.lstrip('_')}() is called while a lock is held"))
        return held

    def schedules(self, name: str) -> bool:
        """Return whether a function is, or calls, one of the scheduler's."""
        function = self.flow.program.functions.get(name)
        called = [call.name for call in self.flow.reach(function)] if function and name not in PRIMITIVES else []
        return any(each.startswith("scx_bpf_") or each in PRIMITIVES for each in (name, *called))


def _leaves(branch: Node) -> bool:
    last = branch.children[-1] if branch.kind == "Block" and branch.children else branch
    return last.kind in _LEAVES


RULE = Rule(
    id="lock-across-kick",
    why="the other CPUs spin meanwhile, and the kernel refuses to load it",
    fix="Note under the lock what is to be done, unlock, then kick.",
    check=_check,
)
