"""The ways through ops.enqueue: on which does the task end up nowhere?"""

import dataclasses
import functools
from collections.abc import Iterable
from dataclasses import dataclass

from schedcp_gym.control.verifier.source import kfuncs
from schedcp_gym.control.verifier.source.flow import Flow
from schedcp_gym.control.verifier.source.model import ASSIGNMENTS, Function, Node

_WAYS = 400
_DEPTH = 8
_COMPARISONS = ("==", "!=", "<", ">", "<=", ">=")
#: After a call of these the task has a place, or the policy has ended itself.
_PLACES = {
    *("bpf_map_push_elem", "bpf_list_push_front_impl", "bpf_list_push_back_impl", "bpf_rbtree_add_impl"),
    *("bpf_map_update_elem", "bpf_ringbuf_output", "bpf_ringbuf_submit", "bpf_ringbuf_reserve", "bpf_task_acquire"),
    *("scx_bpf_error_bstr", "scx_bpf_exit_bstr", "bpf_list_push_front", "bpf_list_push_back", "bpf_rbtree_add"),
    *("bpf_kptr_xchg", *kfuncs.INSERT, *kfuncs.MOVE),
}


@dataclass(frozen=True)
class Condition:
    """A decision on a way: the condition, and how it came out."""

    node: Node
    held: bool

    @property
    def is_null_check(self) -> bool:
        """Return whether it found a pointer to be NULL, in the form that the kernel's verifier asks for."""
        node = self.node
        if node.kind == "Binary" and node.name == "==" and node.children[1].kind == "Int" and self.held:
            node = node.children[0]
        elif self.held:
            return False
        return node.type.endswith("*") or (
            node.kind == "Binary" and node.name == "=" and node.children[0].type.endswith("*")
        )


@dataclass(frozen=True)
class Way:
    """A way through the function, so far.

    Attributes:
        kept: Whether the task was put somewhere.
        conditions: The decisions on the way.
        doubtful: Whether it may not exist.
    """

    kept: bool = False
    conditions: tuple[Condition, ...] = ()
    doubtful: bool = False

    def decided(self, node: Node, held: bool) -> "Way | None":
        """Return the way after a decision; None when an earlier one went the other way."""
        while node.kind == "Unary" and node.name == "!":
            node, held = node.children[0], not held
        if node.kind == "Binary" and node.name == ("&&" if held else "||"):
            first = self.decided(node.children[0], held)
            return first and first.decided(node.children[1], held)
        if any(known.node.text == node.text and known.held is not held for known in self.conditions):
            return None
        return dataclasses.replace(self, conditions=(*self.conditions, Condition(node, held)))


@dataclass(frozen=True)
class Loss:
    """A way on which the task ends up nowhere: the line where it ends, and whether it begins with a NULL pointer."""

    line: int
    null_check: bool


class Ways:
    """Follows all ways through a function."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.ends: list[tuple[Way, int]] = []
        self.jumps: list[Way] = []
        self.function: Function | None = None
        self.depth = 0

    def losses(self, function: Function) -> list[Loss]:
        """Return the losses that are certain."""
        self.function = function
        ways = self.go(function.body, [Way()])
        last = max(node.line for node in function.body.walk())
        found = []
        for way, line in [*self.ends, *((way, last) for way in ways)]:
            if not way.kept and not way.doubtful and not self._is_doubtful(way, function):
                found.append(Loss(line, bool(way.conditions) and way.conditions[-1].is_null_check))
        return found

    def go(self, node: Node, ways: list[Way]) -> list[Way]:
        """Return the ways that go on after a statement."""
        if len(ways) > _WAYS:
            ways = [dataclasses.replace(ways[0], doubtful=True)]
        if node.kind in ("Block", "Decl"):
            return functools.reduce(lambda after, child: self.go(child, after), node.children, ways)
        if node.kind == "If":
            return self._branch(node, ways)
        if node.kind == "Return":
            self.ends += [(way, node.line) for way in self._through(node, ways)]
            return []
        if node.kind in ("Goto", "GotoAny"):
            self.jumps += ways
            return []
        if node.kind == "Label":
            met = [dataclasses.replace(way, doubtful=True) for way in self.jumps]
            return functools.reduce(lambda after, child: self.go(child, after), node.children, ways + met)
        if node.kind in ("For", "While", "Do", "Switch"):
            return self._several(node, ways)
        if node.kind == "Call" and self.depth < _DEPTH:
            return self._call(node, ways)
        return self._through(node, ways)

    def _branch(self, node: Node, ways: list[Way]) -> list[Way]:
        condition, branches = node.children[0], node.children[1:]
        ways = self._through(condition, ways)
        after: list[Way] = []
        for held, branch in ((True, branches[0]), (False, branches[1] if len(branches) > 1 else None)):
            taken = [decided for way in ways if (decided := way.decided(condition, held))]
            after += self.go(branch, taken) if branch and taken else taken
        return after

    def _several(self, node: Node, ways: list[Way]) -> list[Way]:
        """Follow a loop or a switch: nothing is certain inside, so no loss is reported there."""
        ends, self.ends = self.ends, []
        for child in node.children:
            self.go(child, [dataclasses.replace(way, doubtful=True) for way in ways])
        self.ends = ends
        return self._through(node, ways)

    def _call(self, node: Node, ways: list[Way]) -> list[Way]:
        """Follow a helper whose result is not used."""
        function = self.flow.program.functions.get(node.name)
        if function is None or node.name in kfuncs.PRIMITIVES or function is self.function:
            return self._through(node, ways)
        ends, self.ends, outer = self.ends, [], self.function
        self.function, self.depth = function, self.depth + 1
        inside = self.go(function.body, ways)
        inside += [way for way, _ in self.ends]
        if any(self._is_doubtful(way, function) for way in inside):
            inside = [dataclasses.replace(way, doubtful=way.doubtful or not way.kept) for way in inside]
        self.ends, self.function, self.depth = ends, outer, self.depth - 1
        known = {way.conditions for way in ways}
        return list(
            dict.fromkeys(
                way if way.conditions in known else dataclasses.replace(way, conditions=_renamed(way, ways))
                for way in inside
            )
        )

    def _through(self, node: Node, ways: list[Way]) -> list[Way]:
        """Return the ways after an expression, which may put the task somewhere."""
        if any(self._keeps(part) for part in node.walk()):
            return [dataclasses.replace(way, kept=True) for way in ways]
        return ways

    def _keeps(self, node: Node) -> bool:
        if node.kind == "Binary" and node.name in ASSIGNMENTS:
            return any(part.kind == "Member" and part.name in ("pid", "tgid") for part in node.children[1].walk())
        return node.kind == "Call" and self._function_keeps(node.name)

    def _function_keeps(self, name: str) -> bool:
        if name in _PLACES:
            return True
        function = self.flow.program.functions.get(name)
        if function is None or name in kfuncs.PRIMITIVES or function is self.function:
            return False
        return any(call.name in _PLACES for call in self.flow.reach(function))

    def _is_doubtful(self, way: Way, function: Function) -> bool:
        """Return whether decisions on the way may depend on each other in a way that is not seen here."""
        compared: list[str] = []
        for condition in way.conditions:
            for node in condition.node.walk():
                if node.variable is not None and len(function.assigned.get(node.variable, [])) > 1:
                    return True
            if condition.node.kind == "Binary" and condition.node.name in _COMPARISONS:
                compared.append(condition.node.children[0].text)
        return len(compared) != len(set(compared))


def _renamed(way: Way, before: Iterable[Way]) -> tuple[Condition, ...]:
    """Keep only how a helper's last decision came out: its conditions are about its own variables."""
    outer = max((one.conditions for one in before if way.conditions[: len(one.conditions)] == one.conditions), key=len)
    return (*outer, way.conditions[-1])
