"""A parsed policy as values: what the worker in the jail printed, and what of the object the rules need."""

import dataclasses
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from schedcp_gym.lab.elf import Section

SOURCE = "policy.bpf.c"
ASSIGNMENTS = ("=", "*=", "/=", "%=", "+=", "-=", "<<=", ">>=", "&=", "^=", "|=")
STEPS = ("x++", "x--", "++x", "--x")


@dataclass(frozen=True, eq=False)
class Node:
    """A node of the syntax tree; casts and parentheses are left out.

    Attributes:
        kind: ``Call``, ``If``, ``Ref`` …: the worker's names.
        line: Line, that of the macro's use for what a macro made.
        name: Name or operator.
        value: Its number or text; for ``Ref`` and ``Member`` what the name stands for; for ``Var`` identity and type.
        children: In order of the source; a call's first child is its callee.
    """

    kind: str
    line: int
    name: str
    value: Any
    children: tuple["Node", ...]

    def walk(self) -> Iterator["Node"]:
        """Return this node and all below, in order of the source."""
        yield self
        for child in self.children:
            yield from child.walk()

    @property
    def arguments(self) -> tuple["Node", ...]:
        """Return a call's arguments."""
        return self.children[1:]

    @property
    def variable(self) -> int | None:
        """Return the identity of the variable that this is or names."""
        if self.kind in ("Var", "Param"):
            return int(self.value[0])
        return int(self.value[1]) if self.kind == "Ref" and self.value and self.value[0] == "var" else None

    @property
    def type(self) -> str:
        """Return the type of a variable, or of a name for one."""
        if self.kind in ("Var", "Param"):
            return str(self.value[1])
        return str(self.value[2]) if self.variable is not None else ""

    @property
    def target(self) -> "Node | None":
        """Return what an assignment or a step (``++``, ``--``) writes; None for any other node."""
        writes = self.name in (ASSIGNMENTS if self.kind == "Binary" else STEPS if self.kind == "Unary" else ())
        return self.children[0] if writes else None

    @functools.cached_property
    def text(self) -> str:
        """Return a text that is the same for equal expressions."""
        inside = ",".join(child.text for child in self.children)
        constant = self.value if self.kind in ("Int", "String") else ""
        return f"{self.kind}:{self.name}{constant}({inside})"


@dataclass(frozen=True, eq=False)
class Function:
    """A function that has a body.

    Attributes:
        name: Its name.
        file: Where it is written.
        line: Its line.
        params: Its parameters.
        body: Its statements.
    """

    name: str
    file: str
    line: int
    params: tuple[Node, ...]
    body: Node

    @property
    def in_source(self) -> bool:
        """Return whether it is written in the policy and not in a header."""
        return self.file == SOURCE

    @functools.cached_property
    def assigned(self) -> dict[int, list[Node]]:
        """Return what each local variable is set to: {identity: expressions}; for a step, the operator's node."""
        found: dict[int, list[Node]] = {}
        for node in self.body.walk():
            if node.kind == "Var" and node.children:
                found.setdefault(int(node.value[0]), []).append(node.children[0])
            elif node.target and node.target.variable is not None:
                found.setdefault(node.target.variable, []).append(node.children[1] if node.name == "=" else node)
        return found

    @functools.cached_property
    def exposed(self) -> frozenset[int]:
        """Return the variables whose address is taken: others may set them."""
        return frozenset(
            node.children[0].variable
            for node in self.body.walk()
            if node.kind == "Unary" and node.name == "addr" and node.children[0].variable is not None
        )

    @functools.cached_property
    def counted(self) -> dict[int, Node]:
        """Return the variables of ``bpf_for`` loops: {identity: the first value}."""
        found = {}
        for loop in self.body.walk():
            if loop.kind != "For":
                continue
            start = next((n for n in loop.walk() if n.kind == "Call" and n.name == "bpf_iter_num_new"), None)
            for node in (child for part in loop.children[:-1] for child in part.walk()):
                if start and node.kind == "Binary" and node.name == "=" and node.children[0].variable is not None:
                    found[node.children[0].variable] = start.arguments[1]
        return found


@dataclass(frozen=True, eq=False)
class OpsTable:
    """A ``struct sched_ext_ops``.

    Attributes:
        line: Where it begins.
        fields: What it sets.
    """

    line: int
    fields: dict[str, Node]


@dataclass(frozen=True, eq=False)
class Program:
    """A policy.

    Attributes:
        functions: Those that have a body, by name; the policies' own headers' included.
        variables: Globals, by identity.
        includes: Files that the source itself includes, and where.
        strange_assembler: Lines of assembler whose keyword is written nowhere.
        sections: Of the compiled object.
    """

    functions: dict[str, Function]
    variables: dict[int, Node]
    includes: tuple[tuple[str, int], ...]
    strange_assembler: tuple[int, ...]
    sections: tuple[Section, ...] = ()

    @classmethod
    def from_json(cls, parsed: dict[str, Any]) -> "Program":
        """Read what the worker printed."""
        functions = {}
        for entry in parsed["functions"]:
            if entry["body"]:
                params = tuple(map(_node, entry["params"]))
                name, file, line = entry["name"], entry["file"], entry["line"]
                functions[name] = Function(name, file, line, params, _node(entry["body"]))
        variables = {int(entry[3][0]): _node(entry) for entry in parsed["variables"] if entry}
        includes = tuple((path, line) for path, line in parsed["includes"])
        return cls(functions, variables, includes, tuple(parsed["strange_assembler"]))

    def with_sections(self, sections: tuple[Section, ...]) -> "Program":
        """Return the same program, with the sections of its object."""
        return dataclasses.replace(self, sections=sections)

    @functools.cached_property
    def own_functions(self) -> tuple[Function, ...]:
        """Return the functions that are written in the policy itself, not in a header."""
        return tuple(function for function in self.functions.values() if function.file == SOURCE)

    @property
    def own_nodes(self) -> Iterator[Node]:
        """Return all nodes of the policy's own functions."""
        return (node for function in self.own_functions for node in function.body.walk())

    @functools.cached_property
    def tables(self) -> tuple[OpsTable, ...]:
        """Return all tables of callbacks, in order."""
        found = []
        for variable in self.variables.values():
            if variable.type.removeprefix("const ") != "struct sched_ext_ops" or not variable.children:
                continue
            fields = {
                entry.children[0].name: entry.children[-1]
                for entry in variable.children[0].children
                if len(entry.children) > 1 and entry.children[0].kind == "MemberName"
            }
            found.append(OpsTable(variable.line, fields))
        return tuple(found)

    @functools.cached_property
    def callbacks(self) -> dict[str, Function]:
        """Return the functions that the kernel calls, without BPF_PROG's wrapper: {field of the table: function}."""
        found = {}
        for field, value in (pair for table in self.tables for pair in table.fields.items()):
            name = next((node.name for node in value.walk() if node.kind == "Ref" and node.value == ["function"]), "")
            function = self.functions.get(f"____{name}") or self.functions.get(name)
            if function:
                found[field] = function
        return found

    @functools.cached_property
    def assigned_globals(self) -> dict[str, list[Node]]:
        """Return what names are set to anywhere, those of globals among them."""
        found: dict[str, list[Node]] = {}
        for function in self.functions.values():
            for node in function.body.walk():
                if node.kind == "Binary" and node.name == "=" and node.children[0].kind == "Ref":
                    found.setdefault(node.children[0].name, []).append(node.children[1])
        return found

    def field(self, field: str) -> Node | None:
        """Return what the first table sets a field to."""
        return self.tables[0].fields.get(field) if self.tables else None


def _node(raw: list[Any]) -> Node:
    kind, line, name, value, children = raw
    return Node(kind, line, name, value, tuple(map(_node, children)))
