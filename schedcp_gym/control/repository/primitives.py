"""Primitives: parts of the library's policies, declared in ``bpf/primitives/`` and cut from those policies."""

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from schedcp_gym.control.repository.records import Primitive
from schedcp_gym.lab import catalogue
from schedcp_gym.paths import POLICIES
from schedcp_gym.spec import BadInput
from schedcp_gym.spec.errors import first_fault

PRIMITIVES = POLICIES / "primitives"
_KEYS = {"title", "from", "symbols", "tunables", "headers", "maps", "card", "usage"}
#: What a top-level piece of C declares, tried in this order.
_DECLARED = (
    re.compile(r"^#define\s+(\w+)"),
    re.compile(r"^TUNABLE\(\s*\w+\s*,\s*(\w+)"),
    re.compile(r"^[A-Z][A-Z_]*\(\s*(\w+)"),  # TUNABLE_TEXT(name, TASK_DATA_DEFINE(name, CPU_OPS_DEFINE(name
    re.compile(r"BPF_STRUCT_OPS(?:_SLEEPABLE)?\(\s*(\w+)"),
    re.compile(r"^(?:struct|enum)\s+(\w+)\s*\{"),
    re.compile(r"^[\w\s*]*?\b(\w+)\s*\([^;{]*\)\s*\{"),  # a function with its body
    re.compile(r"^extern[\w\s*]*?\b(\w+)\s+__ksym"),
    re.compile(r"\}\s*(\w+)(?:\[\w+\])?\s*(?:SEC\(.*\))?;$"),  # struct {…} name
    re.compile(r"\b(\w+)(?:\[[^\]]*\])?\s*(?:=[^;]*)?;$"),
)


def primitive_names() -> list[str]:
    """Return the names of all primitives, sorted."""
    return sorted(path.stem for path in PRIMITIVES.glob("*.yaml"))


def load_primitive(name: str) -> Primitive:
    """Read a primitive, and cut its code out of the policy that it is part of.

    Raises:
        BadInput: There is no primitive of this name, or its declaration does not fit the policy.
    """
    path = PRIMITIVES / f"{name}.yaml"
    if name not in primitive_names():
        raise catalogue.unknown("primitive", name, primitive_names())
    try:
        declared: dict[str, Any] = yaml.safe_load(path.read_text())
        if unknown := set(declared) - _KEYS:
            raise BadInput(f"{path}: unknown key {', '.join(sorted(unknown))}; there are: {', '.join(sorted(_KEYS))}")
        code, tunables = _cut(path, declared)
        headers = tuple(declared.get("headers", ()))
        return Primitive(
            name=name,
            title=declared["title"],
            card=declared["card"].strip(),
            code=code,
            headers=headers,
            tunables=tunables,
            maps=tuple(declared.get("maps", ())),
            usage=declared.get("usage", ""),
            used_by=(declared["from"],) if code else _including(headers),
        )
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path}: not a primitive: {type(error).__name__}: {str(error).splitlines()[0]}") from None
    except ValidationError as error:
        raise BadInput(f"{path}: {first_fault(error)}") from None


def unit(primitive: Primitive) -> str:
    """Return a primitive with its headers and tunables, as a source that compiles by itself."""
    headers = "".join(f"#include <{header}>\n" for header in ("scx/common.bpf.h", *primitive.headers))
    return "\n".join(["/* SPDX-License-Identifier: GPL-2.0-only */", headers, *primitive.tunables, "", primitive.code])


def _cut(path: Path, declared: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Return the code and the tunables, in the policy's order."""
    if "from" not in declared:
        return "", ()
    found = pieces(catalogue.load_policy(declared["from"]).source)
    symbols, tunables = declared["symbols"], declared.get("tunables", [])
    for name in (*symbols, *tunables):
        if name not in found:
            raise BadInput(f"{path}: {declared['from']} declares no {name!r}")
    code = "\n\n".join(text for name, text in found.items() if name in symbols)
    return code, tuple(text for name, text in found.items() if name in tunables)


def _including(headers: tuple[str, ...]) -> tuple[str, ...]:
    """Return the policies of the library that include all of the headers."""
    names = catalogue.policy_names()[1:]
    sources = {name: catalogue.load_policy(name).source for name in names}
    return tuple(name for name in names if all(f"<{header}>" in sources[name] for header in headers))


def pieces(source: str) -> dict[str, str]:
    """Return the top-level declarations of a C source in kernel style: declared name → text with its comment."""
    found: dict[str, str] = {}
    comment: list[str] = []
    piece: list[str] = []
    in_comment = False
    for line in source.splitlines():
        if not piece and (in_comment or line.startswith("/*")):
            comment = [*comment, line] if in_comment else [line]
            in_comment = "*/" not in line
            continue
        if not piece and not line.strip():
            comment = []
            continue
        piece.append(line)
        if _is_whole(piece):
            text = "\n".join(piece)
            if name := _declares(text):
                found.setdefault(name, "\n".join([*comment, text]))
            comment, piece = [], []
    return found


def _is_whole(piece: list[str]) -> bool:
    text = "\n".join(piece)
    if piece[0].startswith("#"):
        return not piece[-1].endswith("\\")
    bare = re.sub(r'"(?:\\.|[^"\\])*"|/\*.*?\*/', "", text, flags=re.DOTALL)
    if bare.count("{") != bare.count("}") or bare.count("(") != bare.count(")"):
        return False
    # A function ends with its brace alone in the line; all else with a semicolon or a macro's parenthesis.
    return piece[-1] == "}" or bare.rstrip().endswith(";") or bool(re.match(r"^[A-Z][A-Z_]*\(.*\)$", bare, re.DOTALL))


def _declares(text: str) -> str | None:
    for pattern in _DECLARED:
        if match := pattern.search(text):
            return match[1]
    return None
