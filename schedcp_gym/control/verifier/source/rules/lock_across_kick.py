"""While a bpf_spin_lock is held, interrupts are off and no other CPU gets past it: kicks and other calls into the scheduler
do not belong there, and the kernel's verifier refuses most of them.

The statements between lock and unlock are followed in order; a branch that unlocks and returns does not release the others.
"""

from collections.abc import Iterator

from schedcp_gym.control.verifier.source.flow import Flow
from schedcp_gym.control.verifier.source.kfuncs import PRIMITIVES
from schedcp_gym.control.verifier.source.model import Function, Node
from schedcp_gym.control.verifier.source.rule import Hit, Rule

_LOCK = ("bpf_spin_lock", "bpf_res_spin_lock")
_UNLOCK = ("bpf_spin_unlock", "bpf_res_spin_unlock")
_LEAVES = ("Return", "Goto", "Break", "Continue")


def _check(flow: Flow) -> Iterator[Hit]:
    for function in flow.program.functions.values():
        if function.in_source:
            found: list[Hit] = []
            _Walk(flow, found).go(function.body, False)
            yield from found


class _Walk:
    def __init__(self, flow: Flow, found: list[Hit]) -> None:
        self.flow, self.found = flow, found

    def go(self, node: Node, held: bool) -> bool:
        """Follows a statement; returns whether the lock is held after it."""
        if node.kind == "If":
            held = self.go(node.children[0], held)
            ends = [held if _leaves(branch) else self.go(branch, held) for branch in node.children[1:]]
            for branch in node.children[1:]:
                if _leaves(branch):
                    self.go(branch, held)
            return any(ends) if len(ends) > 1 else (ends[0] if ends else held) and held
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
        """Whether a function is, or calls, one of the scheduler's."""
        function: Function | None = self.flow.program.functions.get(name)
        if name.startswith("scx_bpf_") or name in PRIMITIVES or function is None:
            return name.startswith("scx_bpf_") or name in PRIMITIVES
        return any(call.name.startswith("scx_bpf_") or call.name in PRIMITIVES for call in self.flow.reach(function))


def _leaves(branch: Node) -> bool:
    last = branch.children[-1] if branch.kind == "Block" and branch.children else branch
    return last.kind in _LEAVES


RULE = Rule(
    id="lock-across-kick",
    why="the other CPUs spin meanwhile, and the kernel refuses to load it",
    fix="Note under the lock what is to be done, unlock, then kick.",
    check=_check,
)
