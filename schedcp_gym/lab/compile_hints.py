"""Say what to change after a compile error. A rule for each kind of error lets a person or a model act on it."""

import difflib
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from schedcp_gym.lab.brought import our_names

_RULES = Path(__file__).with_name("compile_hints.yaml")
_ERROR = re.compile(r"^\S+?:(?P<line>\d+)(?::\d+)?: (?:fatal )?error: (?P<what>.*)$", re.MULTILINE)
_KFUNC = re.compile(r"^extern (?P<declaration>[\w *]*?\b(?P<name>(?:scx_bpf|bpf)_\w+)\([^;]*?\)) __weak", re.MULTILINE)
_ENUMERATOR = re.compile(r"^\t(SCX_\w+) =", re.MULTILINE)
_CALL_IN_NOTE = re.compile(r"note: '(\w+)' declared here")
#: Hints for one compilation: the first errors are the cause of the rest.
MOST_HINTS = 3


def hints(source: str, words: str, headers: Path) -> list[str]:
    """Return what to change, a line for each kind of error, in the order of the errors.

    Args:
        source: The policy's source.
        words: What clang printed.
        headers: The folder that holds the kernel's ``vmlinux.h``.
    """
    found: dict[str, str] = {}
    for match in _ERROR.finditer(words):
        rest = words[match.end() : match.end() + 500].split("error:")[0]
        if hint := next(_fitting(match["what"], rest, headers), None):
            found.setdefault(hint, match["line"])
    if not found and not re.search(r"#[ \t]*include[ \t]*[<\"](?:scx/|vmlinux)", source):
        return ["hint for line 1: Begin the source with #include <scx/common.bpf.h>, which has the kernel's types."]
    return [f"hint for line {line}: {hint}" for hint, line in list(found.items())[:MOST_HINTS]]


def _fitting(what: str, following: str, headers: Path) -> Iterator[str]:
    for pattern, hint in _rules():
        if match := pattern.search(what):
            groups = [group for group in match.groups() if group] or [""]
            named = _CALL_IN_NOTE.search(following)
            signature = _kernel_names(headers).get(named[1], named[1]) if named else "see vmlinux.h"
            near = _nearest(groups[0], headers) if "{near}" in hint else ""
            yield hint.format(*groups, near=near, signature=signature)


@functools.cache
def _rules() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(rule["error"]), rule["hint"]) for rule in yaml.safe_load(_RULES.read_text("utf-8")))


@functools.cache
def _kernel_names(headers: Path) -> dict[str, str]:
    """Return the kernel's BPF functions and sched_ext constants, each with its declaration."""
    text = (headers / "vmlinux.h").read_text()
    functions = {match["name"]: match["declaration"] for match in _KFUNC.finditer(text)}
    return {**{name: name for name in _ENUMERATOR.findall(text)}, **functions}


def _nearest(name: str, headers: Path) -> str:
    known = [*_kernel_names(headers), *our_names()]
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.5)), "not among those of the kernel")
