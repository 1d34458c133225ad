"""Policies of several files: one text, with each local header in the place of its ``#include``.

A policy's identity is one text, and so is what is recorded, compiled and shown. A policy that comes as several files is
joined first. Headers of ours and of the kernel (``<scx/…>``, ``vmlinux.h``) stay as they are.
"""

import posixpath
import re
from collections.abc import Mapping

from schedcp_gym.spec.errors import BadInput

#: A policy's files, its headers included.
MOST_FILES = 64
#: Characters of all files together, and of the joined text: a header may stand in several places.
MOST_CHARACTERS = 1 << 20
#: Includes within includes.
MOST_LEVELS = 16

#: An include directive, or something in which one does not count: a comment, a string.
_INCLUDE = re.compile(
    r"""(?P<other>/\*.*?(?:\*/|\Z)|//[^\n]*|"(?:\\.|[^"\\\n])*")"""
    r"""|^[ \t]*\#[ \t]*include[ \t]*(?:"(?P<quoted>[^"\n]+)"|<(?P<angled>[^>\n]+)>)[^\n]*$""",
    re.DOTALL | re.MULTILINE,
)
_ONCE = re.compile(r"^[ \t]*#[ \t]*pragma[ \t]+once[ \t]*$", re.MULTILINE)


def join_files(files: Mapping[str, str], main: str) -> str:
    r"""Return a policy's files as one text.

    Args:
        files: The text of each file by its path within the policy's folder, such as ``{"main.bpf.c": …, "intf.h": …}``.
        main: The path of the file to begin with.

    Returns:
        The main file. Each ``#include`` of another of the files is replaced by that file, between two comments that
        name the place. A file that nothing includes does not count.

    Raises:
        BadInput: A path leaves the folder, the main file is missing, a file includes itself, or there is too much.

    Example:
        >>> print(join_files({"a.bpf.c": '#include "b.h"\nint x;\n', "b.h": "int y;\n"}, "a.bpf.c"))
        /* from b.h line 1 */
        int y;
        /* back in a.bpf.c line 2 */
        int x;
        <BLANKLINE>
    """
    known = {_checked(name): text for name, text in files.items()}
    if len(known) > MOST_FILES:
        raise BadInput(f"the policy has {len(known)} files; {MOST_FILES} are allowed")
    if sum(map(len, known.values())) > MOST_CHARACTERS:
        raise BadInput(f"the policy's files have more than {MOST_CHARACTERS} characters together")
    if main not in known:
        raise BadInput(f"the policy has no file {main!r} (there are: {', '.join(sorted(known))})")
    return _Joiner(known).text_of(main, ())


def main_file(names: Mapping[str, object] | set[str]) -> str:
    """Return the file that a policy of several files begins with.

    It is the only ``.bpf.c`` file, or else ``main.bpf.c``.

    Raises:
        BadInput: There is neither.
    """
    sources = sorted(name for name in names if name.endswith(".bpf.c"))
    if "main.bpf.c" in sources:
        return "main.bpf.c"
    if len(sources) == 1:
        return sources[0]
    if not sources:
        raise BadInput("the policy has no .bpf.c file: name its source main.bpf.c")
    raise BadInput(f"the policy has several .bpf.c files and no main.bpf.c: {', '.join(sources)}")


def included_names(text: str, name: str) -> list[str]:
    """Return the paths within the policy's folder where the files that a text includes may lie.

    Args:
        text: A file of the policy.
        name: Its path within the folder.
    """
    found = (match for match in _INCLUDE.finditer(text) if not match["other"])
    return [place for match in found for place in _places(match, name) if not place.startswith("..")]


def _checked(name: str) -> str:
    plain = posixpath.normpath(name)
    if posixpath.isabs(plain) or plain.startswith("..") or " " in plain or not plain.isprintable():
        raise BadInput(f"{name!r} is no path within the policy's folder")
    return plain


def _places(match: re.Match[str], name: str) -> tuple[str, ...]:
    """Return where an include may mean: beside the file first, as compilers look, then from the folder on."""
    wanted = match["quoted"] or match["angled"]
    beside = posixpath.normpath(posixpath.join(posixpath.dirname(name), wanted))
    from_top = posixpath.normpath(wanted)
    return (beside, from_top) if match["quoted"] else (from_top,)


class _Joiner:
    """Joins one policy's files. It remembers which files were taken in that want to be taken in once."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files
        self._once: set[str] = set()
        self._characters = 0

    def text_of(self, name: str, within: tuple[str, ...]) -> str:
        if name in within:
            raise BadInput(f"{within[-1]}: #include of {name}, which includes it: headers can't include each other")
        if len(within) >= MOST_LEVELS:
            raise BadInput(f"{name}: more than {MOST_LEVELS} levels of #include")
        text = self._files[name]
        self._characters += len(text)
        if self._characters > MOST_CHARACTERS:
            raise BadInput(
                f"the joined policy has more than {MOST_CHARACTERS} characters: a header is included too often"
            )
        if _ONCE.search(text):
            self._once.add(name)
            text = _ONCE.sub("", text)
        return _INCLUDE.sub(lambda match: self._included(match, name, (*within, name)), text)

    def _included(self, match: re.Match[str], name: str, within: tuple[str, ...]) -> str:
        if match["other"]:
            return match[0]
        found = next((place for place in _places(match, name) if place in self._files), None)
        if found is None:
            return match[0]  # a header of ours or of the kernel, or one that the compiler will miss
        line = match.string.count("\n", 0, match.start()) + 1
        if found in self._once:
            return ""
        body = self.text_of(found, within).rstrip("\n")
        return f"/* from {found} line 1 */\n{body}\n/* back in {name} line {line + 1} */"
