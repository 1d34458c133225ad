"""Follow a policy's actions through its helpers: calls, what their arguments may be, where those come from.

A value that is computed at run time is unknown, and rules report nothing about unknown values.
"""

import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from schedcp_gym.control.verifier.source.kfuncs import PRIMITIVES
from schedcp_gym.control.verifier.source.model import ASSIGNMENTS, STEPS, Function, Node, Program

_MASK = (1 << 64) - 1
_DEPTH = 24
#: Calls followed below one callback, and expressions looked at altogether: hostile source could make it millions.
_FRAMES, _STEPS = 2000, 500_000
_COMBINATIONS = 64


@dataclass(frozen=True)
class Possible:
    """Return what an expression may be.

    Attributes:
        known: Constants.
        bases: Constants to which something unknown is added: per-CPU queues are ``BASE + cpu``.
        unknown: Whether it may be anything else.
    """

    known: frozenset[int] = frozenset()
    bases: frozenset[int] = frozenset()
    unknown: bool = False

    def __or__(self, other: "Possible") -> "Possible":
        return Possible(self.known | other.known, self.bases | other.bases, self.unknown or other.unknown)

    @property
    def constant(self) -> bool:
        """Return whether all possible values are known."""
        return bool(self.known) and not self.bases and not self.unknown


UNKNOWN = Possible(unknown=True)


@dataclass(frozen=True, eq=False)
class Frame:
    """A function as called from somewhere.

    Attributes:
        function: The function.
        bound: Arguments of the call, with the frame they are written in: {identity of the parameter: …}.
        caller: The frame that holds the call; None for a callback.
        line: Line in the policy's own source at which the way down began, None for a callback.
    """

    function: Function
    bound: dict[int, tuple[Node, "Frame"]]
    caller: "Frame | None" = None
    line: int | None = None

    @property
    def depth(self) -> int:
        """Return how many calls deep this is."""
        return 0 if self.caller is None else 1 + self.caller.depth

    def runs(self, name: str) -> bool:
        """Return whether a function of that name is among those being called."""
        return self.function.name == name or (self.caller is not None and self.caller.runs(name))

    def line_of(self, node: Node) -> int | None:
        """Return the line of the policy's own source that a node comes from."""
        return node.line if self.function.in_source else self.line


@dataclass(frozen=True, eq=False)
class Call:
    """A call, with the frame it is written in."""

    node: Node
    frame: Frame

    @property
    def name(self) -> str:
        """Return the name of the called function."""
        return self.node.name

    @property
    def line(self) -> int | None:
        """Return the line in the policy's own source."""
        return self.frame.line_of(self.node)


class Flow:
    """A program followed through its calls."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.steps = 0
        self._reached: dict[str, list[Call]] = {}
        self._cut = False

    @property
    def complete(self) -> bool:
        """Return whether everything was followed to its end; otherwise rules have not seen all."""
        return not self._cut and self.steps <= _STEPS

    @functools.cached_property
    def calls(self) -> dict[str, list[Call]]:
        """Return all calls below each callback, and below functions that no callback reaches, by name."""
        found = {field: self.reach(function) for field, function in self.program.callbacks.items()}
        seen = {name for calls in found.values() for call in calls for name in (call.name, call.frame.function.name)}
        seen |= {function.name for function in self.program.callbacks.values()}
        wrappers = {name.removeprefix("____") for name in seen}
        for function in self.program.own_functions:
            if function.name not in seen | wrappers:
                found[f"function {function.name}"] = self.reach(function)
        return found

    @property
    def all_calls(self) -> Iterator[Call]:
        """Return all calls made anywhere."""
        return itertools.chain.from_iterable(self.calls.values())

    def reach(self, function: Function) -> list[Call]:
        """Return all calls in a function and below it, except in the kernel's own functions."""
        if function.name not in self._reached:
            self._reached[function.name] = self._reach(function)
        return self._reached[function.name]

    def _reach(self, function: Function) -> list[Call]:
        found: list[Call] = []
        todo, frames = [Frame(function, {})], 0
        while todo and frames < _FRAMES:
            frame, frames = todo.pop(), frames + 1
            for node in frame.function.body.walk():
                if node.kind != "Call":
                    continue
                call = Call(node, frame)
                found.append(call)
                todo += [below for below in self._below(call) if below.depth < _DEPTH]
        self._cut = self._cut or bool(todo)
        return found

    def _below(self, call: Call) -> Iterator[Frame]:
        """Return frames of the called function, and of functions whose address is passed to be called later."""
        if call.name in PRIMITIVES:
            return
        if entered := self.enter(call):
            yield entered
        for argument in call.node.arguments:
            names = [argument, *argument.children] if argument.kind == "Unary" else [argument]
            for name in names:
                function = self.program.functions.get(name.name) if name.value == ["function"] else None
                if function and not call.frame.runs(function.name):
                    yield Frame(function, {}, call.frame, call.line)

    def enter(self, call: Call) -> Frame | None:
        """Return the frame of the called function; None for a kernel function, or one that calls itself."""
        function = self.program.functions.get(call.name)
        if function is None or call.name in PRIMITIVES or call.frame.runs(function.name):
            return None
        given = zip(function.params, call.node.arguments, strict=False)
        bound = {int(param.value[0]): (argument, call.frame) for param, argument in given}
        return Frame(function, bound, call.frame, call.line)

    def value(self, node: Node, frame: Frame, depth: int = 0) -> Possible:
        """Return the values that an expression may have."""
        self.steps += 1
        if depth > _DEPTH or frame.depth > _DEPTH or self.steps > _STEPS:
            return UNKNOWN
        again = functools.partial(self.value, frame=frame, depth=depth + 1)
        if node.kind in ("Int", "SizeOf"):
            return Possible(frozenset([int(node.value) & _MASK])) if isinstance(node.value, int) else UNKNOWN
        if node.kind == "Ref":
            return self._value_of_name(node, frame, depth)
        if node.kind == "Cond" and len(node.children) == 3:
            return again(node.children[1]) | again(node.children[2])
        if node.kind in ("StmtExpr", "Block") and node.children:
            return again(node.children[-1])
        if node.kind == "Unary" and node.name in _UNARY:
            inner = again(node.children[0])
            return Possible(frozenset(_UNARY[node.name](n) & _MASK for n in inner.known)) if inner.constant else UNKNOWN
        if node.kind == "Binary" and node.name == ",":
            return again(node.children[1])
        if node.kind == "Binary" and node.name in _BINARY:
            return _combine(node.name, again(node.children[0]), again(node.children[1]))
        if node.kind == "Call" and (entered := self.enter(Call(node, frame))):
            returned = [self.value(given, entered, depth + 1) for given in _returned(entered.function)]
            return functools.reduce(Possible.__or__, returned, Possible()) if returned else UNKNOWN
        return UNKNOWN

    def _value_of_name(self, node: Node, frame: Frame, depth: int) -> Possible:
        if node.value and node.value[0] == "enum":
            return Possible(frozenset([int(node.value[1]) & _MASK]))
        identity, function = node.variable, frame.function
        if identity is None or identity in function.exposed:
            return UNKNOWN
        if identity in function.counted:
            first = self.value(function.counted[identity], frame, depth + 1)
            return Possible(bases=first.known | first.bases, unknown=first.unknown)
        found = Possible()
        if identity in frame.bound:
            found |= self.value(*frame.bound[identity], depth + 1)
        elif identity in self.program.variables:
            whole = self.program.variables[identity]
            fixed = "const" in whole.type and "volatile" not in whole.type and whole.children
            return self.value(whole.children[0], frame, depth + 1) if fixed else UNKNOWN
        elif any(int(param.value[0]) == identity for param in function.params):
            return UNKNOWN
        steps = False
        for given in function.assigned.get(identity, []):
            if given.name in ("x++", "++x", "+="):
                steps = True
            elif given.name in STEPS or given.name in ASSIGNMENTS:
                return UNKNOWN
            else:
                found |= self.value(given, frame, depth + 1)
        if steps:
            return Possible(bases=found.known | found.bases, unknown=found.unknown or not found.known)
        return found if found != Possible() else UNKNOWN

    def origins(self, node: Node, frame: Frame, depth: int = 0) -> frozenset[str]:
        """Return where an expression comes from: ``const``, ``memory``, or a kind and a name (``field pid``)."""
        self.steps += 1
        if depth > _DEPTH or frame.depth > _DEPTH or self.steps > _STEPS:
            return frozenset(["unknown"])
        if node.kind in ("Int", "SizeOf"):
            return frozenset(["const"])
        if node.kind == "Ref":
            return self._origins_of_name(node, frame, depth)
        if node.kind == "Member":
            return frozenset([f"field {node.name}"])
        if node.kind == "Subscript" or (node.kind == "Unary" and node.name in ("*", "addr")):
            return frozenset(["memory"])
        if node.kind == "Call":
            entered = self.enter(Call(node, frame))
            if not entered:
                return frozenset([f"call {node.name}"])
            returned = _returned(entered.function)
            return frozenset().union(*(self.origins(given, entered, depth + 1) for given in returned)) or frozenset(
                ["unknown"]
            )
        parts = node.children[-1:] if node.kind in ("StmtExpr", "Block") or node.name == "," else node.children
        if not parts:
            return frozenset(["unknown"])
        return frozenset().union(*(self.origins(part, frame, depth + 1) for part in parts))

    def _origins_of_name(self, node: Node, frame: Frame, depth: int) -> frozenset[str]:
        if node.value and node.value[0] == "enum":
            return frozenset(["const"])
        identity, function = node.variable, frame.function
        if identity is None:
            return frozenset(["unknown"])
        if identity in frame.bound and identity not in function.assigned:
            return self.origins(*frame.bound[identity], depth + 1)
        if identity in self.program.variables:
            return frozenset([f"global {node.name}"])
        if identity in function.exposed:
            return frozenset(["memory"])
        if identity in function.counted:
            return frozenset(["loop"])
        if any(int(param.value[0]) == identity for param in function.params):
            return frozenset([f"param {node.name}"])
        given = [one for one in function.assigned.get(identity, []) if one.name not in (*STEPS, *ASSIGNMENTS)]
        found = frozenset().union(*(self.origins(one, frame, depth + 1) for one in given))
        return found or frozenset(["unknown"])


def _returned(function: Function) -> list[Node]:
    return [node.children[0] for node in function.body.walk() if node.kind == "Return" and node.children]


_UNARY: dict[str, Callable[[int], int]] = {"-": lambda n: -n, "~": lambda n: ~n, "+": lambda n: n, "!": lambda n: not n}
_BINARY: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a // b if b else 0,
    "%": lambda a, b: a % b if b else 0,
    "<<": lambda a, b: a << min(b, 64),
    ">>": lambda a, b: a >> min(b, 64),
    "|": lambda a, b: a | b,
    "&": lambda a, b: a & b,
    "^": lambda a, b: a ^ b,
}


def _combine(operator: str, left: Possible, right: Possible) -> Possible:
    if left.constant and right.constant:
        if len(left.known) * len(right.known) > _COMBINATIONS:
            return UNKNOWN
        compute = _BINARY[operator]
        return Possible(frozenset(compute(a, b) & _MASK for a in left.known for b in right.known))
    if operator not in ("+", "|"):
        return UNKNOWN
    compute = _BINARY[operator]
    for fixed, other in ((left, right), (right, left)):
        # A base plus something: which queue is not known, but not one below the base.
        if fixed.constant and len(fixed.known) * len(other.known | other.bases) <= _COMBINATIONS:
            known = frozenset(compute(a, b) & _MASK for a in fixed.known for b in other.known)
            bases = frozenset(compute(a, b) & _MASK for a in fixed.known for b in other.bases)
            return Possible(known, bases | (fixed.known if other.unknown else frozenset()))
    return UNKNOWN
