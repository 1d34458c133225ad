"""Mends a source after a report: by rules, one fault at a time, each the smallest change that the report asks for."""

import re
from collections.abc import Mapping
from typing import Any

from schedcp_gym.llm.providers._offline import ruleset

_AT_LINE = re.compile(r"(?:line |\.c:)(\d+)")


def mend(source: str, report: str) -> str:
    """The source, changed as the first rule says that fits the report and changes anything; the same if none does."""
    for rule in ruleset.load("repairs")["repairs"]:
        for found in re.finditer(rule["report"], report):
            changed = _ACTIONS[rule["do"]](source, found, rule)
            if changed != source:
                return changed
    return source


def _include(source: str, found: re.Match[str], _rule: Mapping[str, Any]) -> str:
    headers = ruleset.load("repairs")["headers"]
    header = next((header for header, names in headers.items() if re.fullmatch("|".join(names), found["name"])), "")
    if not header or f"<{header}>" in source:
        return source
    last = list(re.finditer(r"^#include .*$", source, re.MULTILINE))
    at = last[-1].end() if last else 0
    return f"{source[:at]}{chr(10) if last else ''}#include <{header}>{'' if last else chr(10)}{source[at:]}"


def _drop_line(source: str, found: re.Match[str], rule: Mapping[str, Any]) -> str:
    lines = source.splitlines(keepends=True)
    number = int(found["line"]) - 1
    if not 0 <= number < len(lines) or not re.search(rule["only"], lines[number]):
        return source
    return "".join(lines[:number] + lines[number + 1 :])


def _end_statement(source: str, found: re.Match[str], _rule: Mapping[str, Any]) -> str:
    lines = source.splitlines()
    number = int(found["line"]) - 1
    # The compiler names the line where it missed it: this one's end, or the one before.
    for at in (number, number - 1):
        if 0 <= at < len(lines) and re.search(r"[\w)\]\"]\s*$", lines[at]):
            lines[at] = lines[at].rstrip() + ";"
            return "\n".join(lines) + "\n"
    return source


def _replace(source: str, _found: re.Match[str], rule: Mapping[str, Any]) -> str:
    return re.sub(rule["old"], rule["new"], source, count=1, flags=re.MULTILINE)


def _append(source: str, _found: re.Match[str], rule: Mapping[str, Any]) -> str:
    if re.search(rule["unless"], source):
        return source
    anchor = re.search(rule["after"], source, re.MULTILINE)
    at = anchor.end() if anchor else 0
    return f"{source[:at]}\n{rule['text'].rstrip()}\n{source[at:]}"


def _raise_default(source: str, found: re.Match[str], _rule: Mapping[str, Any]) -> str:
    head, unit = rf"(TUNABLE\(\s*\w+\s*,\s*{re.escape(found['name'])}\s*,\s*)", r'(\s*,\s*"[^"]*"\s*,\s*)'
    declared = re.search(rf"{head}(\d+){unit}(\d+)\s*,\s*(\d+)", source)
    if not declared:
        return source
    inside = min(max(int(declared[2]), int(declared[4])), int(declared[5]))
    return source.replace(declared[0], declared[0].replace(declared[1] + declared[2], f"{declared[1]}{inside}", 1))


_ACTIONS = {
    "include": _include,
    "drop-line": _drop_line,
    "end-statement": _end_statement,
    "replace": _replace,
    "append": _append,
    "default-in-range": _raise_default,
}
