"""Parse a policy with libclang inside the jail, and print as JSON what the rules need.

This file uses the standard library only. Usage: worker.py LIBCLANG SOURCE CLANG_ARGUMENT...

A node is [kind, line, name, value, children]. Casts, parentheses and other nodes without a meaning of their own are
left out.

Why not ``clang.cindex``: version 19.1.7 was tried with the same results. Each parse took an eighth more CPU time, eight
of the functions below are missing there, and it does not load with libclang 18, while hosts have 16 to 22.
"""

import ctypes
import json
import sys
from typing import Any


def numbered(first: int, names: str) -> dict[int, str]:
    """Return names by their numbers in libclang, which begin with ``first``."""
    return dict(enumerate(names.split(), first))


FUNCTION, VARIABLE, PARAMETER, ENUM_CONSTANT, UNEXPOSED, ASSEMBLER = 8, 9, 10, 7, 1, 215
BINARY = numbered(1, ".* ->* * / % + - << >> <=> < > <= >= == != & ^ | && || = *= /= %= += -= <<= >>= &= ^= |= ,")
UNARY = numbered(1, "x++ x-- ++x --x addr * + - ~ !")
KINDS = {
    **numbered(100, "Unexposed Ref Member Call - - Int Float - String Int Paren Unary Subscript Binary Binary Cond"),
    **numbered(201, "Label Block Case Default If Switch While Do For Goto GotoAny Continue Break Return Asm"),
    **numbered(117, "Cast Compound InitList - StmtExpr"),
    **numbered(VARIABLE, "Var Param"),
    **numbered(230, "Empty Decl"),
    47: "MemberName",
    136: "SizeOf",
}
#: Types, attributes, references to types and labels: nothing a rule asks for.
LEFT_OUT = {*range(1, 9), *range(11, 47), 48, 49, 50, *range(400, 500), 602}
UNWRAPPED = {100, 111, 117}


class Cursor(ctypes.Structure):
    """CXCursor."""

    _fields_ = [("kind", ctypes.c_int), ("extra", ctypes.c_int), ("data", ctypes.c_void_p * 3)]


class Text(ctypes.Structure):
    """CXString."""

    _fields_ = [("data", ctypes.c_void_p), ("flags", ctypes.c_uint)]


class Type(ctypes.Structure):
    """CXType."""

    _fields_ = [("kind", ctypes.c_int), ("data", ctypes.c_void_p * 2)]


class Location(ctypes.Structure):
    """CXSourceLocation."""

    _fields_ = [("data", ctypes.c_void_p * 2), ("offset", ctypes.c_uint)]


VISITOR = ctypes.CFUNCTYPE(ctypes.c_int, Cursor, Cursor, ctypes.c_void_p)
INCLUSION = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(Location), ctypes.c_uint, ctypes.c_void_p)
_POINTER = ctypes.c_void_p
SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "clang_createIndex": (_POINTER, [ctypes.c_int, ctypes.c_int]),
    "clang_parseTranslationUnit": (
        _POINTER,
        [_POINTER, ctypes.c_char_p, _POINTER, ctypes.c_int, _POINTER, ctypes.c_uint, ctypes.c_uint],
    ),
    "clang_getTranslationUnitCursor": (Cursor, [_POINTER]),
    "clang_visitChildren": (ctypes.c_uint, [Cursor, VISITOR, _POINTER]),
    "clang_getCString": (ctypes.c_char_p, [Text]),
    "clang_getCursorSpelling": (Text, [Cursor]),
    "clang_getCursorLocation": (Location, [Cursor]),
    "clang_getExpansionLocation": (None, [Location, *[_POINTER] * 4]),
    "clang_getSpellingLocation": (None, [Location, *[_POINTER] * 4]),
    "clang_getFileName": (Text, [_POINTER]),
    "clang_getCursorReferenced": (Cursor, [Cursor]),
    "clang_getCursorSemanticParent": (Cursor, [Cursor]),
    "clang_hashCursor": (ctypes.c_uint, [Cursor]),
    "clang_getCursorType": (Type, [Cursor]),
    "clang_getTypeSpelling": (Text, [Type]),
    "clang_getEnumConstantDeclUnsignedValue": (ctypes.c_ulonglong, [Cursor]),
    "clang_isCursorDefinition": (ctypes.c_uint, [Cursor]),
    "clang_Cursor_getVarDeclInitializer": (Cursor, [Cursor]),
    "clang_Cursor_isNull": (ctypes.c_int, [Cursor]),
    "clang_Cursor_Evaluate": (_POINTER, [Cursor]),
    "clang_EvalResult_getKind": (ctypes.c_int, [_POINTER]),
    "clang_EvalResult_getAsUnsigned": (ctypes.c_ulonglong, [_POINTER]),
    "clang_EvalResult_getAsStr": (ctypes.c_char_p, [_POINTER]),
    "clang_getCursorBinaryOperatorKind": (ctypes.c_int, [Cursor]),
    "clang_getCursorUnaryOperatorKind": (ctypes.c_int, [Cursor]),
    "clang_getInclusions": (None, [_POINTER, INCLUSION, _POINTER]),
}

Node = list[Any]


class Parser:
    """A parsed source."""

    def __init__(self, library: str, source: str, arguments: list[str]) -> None:
        self.clang = ctypes.CDLL(library)
        for name, (result, takes) in SIGNATURES.items():
            function = getattr(self.clang, name)
            function.restype, function.argtypes = result, takes
        words = (ctypes.c_char_p * len(arguments))(*(word.encode() for word in arguments))
        index = self.clang.clang_createIndex(0, 0)
        self.unit = self.clang.clang_parseTranslationUnit(index, source.encode(), words, len(arguments), None, 0, 0)
        if not self.unit:
            raise SystemExit("the source can not be parsed")
        self.source = source

    def text(self, value: Text) -> str:
        """Return a CXString's text."""
        return (self.clang.clang_getCString(value) or b"").decode(errors="replace")

    def spelling(self, cursor: Cursor) -> str:
        """Return a cursor's name."""
        return self.text(self.clang.clang_getCursorSpelling(cursor))

    def place(self, cursor: Cursor, find: str = "clang_getExpansionLocation") -> tuple[str, int]:
        """Return a cursor's file and line; with ``clang_getSpellingLocation``, where a macro spells it."""
        return self.place_of(self.clang.clang_getCursorLocation(cursor), find)

    def place_of(self, location: Location, find: str = "clang_getExpansionLocation") -> tuple[str, int]:
        """Return a location's file and line."""
        file, line = ctypes.c_void_p(), ctypes.c_uint()
        getattr(self.clang, find)(location, ctypes.byref(file), ctypes.byref(line), None, None)
        return (self.text(self.clang.clang_getFileName(file)) if file else "", line.value)

    def children(self, cursor: Cursor) -> list[Cursor]:
        """Return the cursors directly below."""
        found: list[Cursor] = []

        def visit(child: Cursor, _parent: Cursor, _data: object) -> int:
            found.append(child)
            return 1

        self.clang.clang_visitChildren(cursor, VISITOR(visit), None)
        return found

    def evaluated(self, cursor: Cursor) -> int | str | None:
        """Return the value of a constant expression."""
        result = self.clang.clang_Cursor_Evaluate(cursor)
        if not result:
            return None
        kind = self.clang.clang_EvalResult_getKind(result)
        if kind == 1:
            return int(self.clang.clang_EvalResult_getAsUnsigned(result))
        if kind in (3, 4, 5):
            return (self.clang.clang_EvalResult_getAsStr(result) or b"").decode(errors="replace")
        return None

    def type_of(self, cursor: Cursor) -> str:
        """Return the spelling of a cursor's type."""
        return self.text(self.clang.clang_getTypeSpelling(self.clang.clang_getCursorType(cursor)))

    def node(self, cursor: Cursor) -> Node | None:
        """Return a cursor and all below it; None for what is left out."""
        kind = cursor.kind
        if kind in LEFT_OUT:
            return None
        children = [node for child in self.children(cursor) if (node := self.node(child))]
        if kind in UNWRAPPED and len(children) == 1:
            return children[0]
        name, value = self.meaning(cursor, kind)
        if kind == VARIABLE:
            first = self.clang.clang_Cursor_getVarDeclInitializer(cursor)
            initial = None if self.clang.clang_Cursor_isNull(first) else self.node(first)
            children = [initial] if initial else []
        return [KINDS.get(kind, f"kind {kind}"), self.place(cursor)[1], name, value, children]

    def meaning(self, cursor: Cursor, kind: int) -> tuple[str, Any]:
        """Return a node's name and value."""
        clang = self.clang
        if KINDS.get(kind) in ("Ref", "Member"):
            return self.reference(cursor, clang.clang_getCursorReferenced(cursor))
        if KINDS.get(kind) == "Unary":
            return UNARY.get(clang.clang_getCursorUnaryOperatorKind(cursor), ""), None
        if KINDS.get(kind) == "Binary":
            return BINARY.get(clang.clang_getCursorBinaryOperatorKind(cursor), ""), None
        if KINDS.get(kind) in ("Int", "String", "SizeOf"):
            return "", self.evaluated(cursor)
        if kind in (VARIABLE, PARAMETER):
            return self.spelling(cursor), [clang.clang_hashCursor(cursor), self.type_of(cursor)]
        if KINDS.get(kind) in ("Call", "Label", "Goto", "MemberName", "Asm"):
            return self.spelling(cursor), None
        return "", None

    def reference(self, cursor: Cursor, to: Cursor) -> tuple[str, Any]:
        """Return a name and its meaning: ["enum", number], ["var", hash, type], ["function"] or ["field", struct]."""
        name = self.spelling(to) or self.spelling(cursor)
        if to.kind == ENUM_CONSTANT:
            return name, ["enum", self.clang.clang_getEnumConstantDeclUnsignedValue(to)]
        if to.kind in (VARIABLE, PARAMETER):
            return name, ["var", self.clang.clang_hashCursor(to), self.type_of(to)]
        if to.kind == FUNCTION:
            return name, ["function"]
        return name, ["field", self.spelling(self.clang.clang_getCursorSemanticParent(to))]

    def function(self, cursor: Cursor, file: str, line: int) -> dict[str, Any] | None:
        """Return a function; None when this only declares it."""
        if not self.clang.clang_isCursorDefinition(cursor):
            return None
        nodes = [node for child in self.children(cursor) if (node := self.node(child))]
        body = [node for node in nodes if node[0] == "Block"]
        return {
            "name": self.spelling(cursor),
            "file": file,
            "line": line,
            "type": self.type_of(cursor),
            "params": [node for node in nodes if node[0] == "Param"],
            "body": body[-1] if body else None,
        }

    def inclusions(self) -> list[list[Any]]:
        """Return the files that the source itself includes: [path, line]."""
        found: list[list[Any]] = []

        def visit(file: int, stack: Any, depth: int, _data: object) -> None:
            if depth == 1:
                found.append([self.text(self.clang.clang_getFileName(file)), self.place_of(stack[0])[1]])

        self.clang.clang_getInclusions(self.unit, INCLUSION(visit), None)
        return found

    def strange_assembler(self, cursor: Cursor) -> list[int]:
        """Return the lines of assembler whose keyword is not in the text: a macro pasted it."""
        found, todo = [], [cursor]
        while todo:
            cursor = todo.pop()
            below = self.children(cursor)
            todo += below
            # libclang shows assembler outside of functions as something unexposed, with nothing below.
            assembler = cursor.kind == ASSEMBLER or (cursor.kind == UNEXPOSED and not below)
            if assembler and not self.place(cursor, "clang_getSpellingLocation")[0]:
                found.append(self.place(cursor)[1])
        return found

    def program(self) -> dict[str, Any]:
        """Return functions, globals and includes of the source and of our own headers."""
        functions, variables, strange = [], [], []
        for cursor in self.children(self.clang.clang_getTranslationUnitCursor(self.unit)):
            if cursor.kind not in (FUNCTION, VARIABLE, UNEXPOSED):
                continue
            file, line = self.place(cursor)
            if file.startswith("image/"):
                continue
            if file == self.source:
                strange += self.strange_assembler(cursor)
            if cursor.kind == FUNCTION and (function := self.function(cursor, file, line)):
                functions.append(function)
            elif cursor.kind == VARIABLE:
                variables.append(self.node(cursor))
        return {
            "functions": functions,
            "variables": variables,
            "includes": self.inclusions(),
            "strange_assembler": strange,
        }


def main() -> None:
    """Print the program."""
    library, source, *arguments = sys.argv[1:]
    sys.setrecursionlimit(4000)
    parser = Parser(library, source, arguments)
    json.dump(parser.program(), sys.stdout, separators=(",", ":"))


if __name__ == "__main__":
    main()
