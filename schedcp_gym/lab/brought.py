"""Names of our headers that a policy defines itself.

Code in the wild brings its own ``time_before()``, ``max()`` or ``enum { NSEC_PER_SEC = … }``: upstream's headers do not
have them, or did not when it was written. In our headers such a name is a macro or a function, which would break the
policy's definition. So the compiler step finds such definitions. It gives our function another name while our headers
are read, and takes macros away after them. The policy then gets what it wrote.
"""

import functools
import re
from collections.abc import Iterable, Iterator, Sequence

from schedcp_gym.paths import POLICIES

#: The file with the #undefs. ``scx/common.bpf.h`` brings it last.
FILE_NAME = "brought.bpf.h"
_HEADERS = ("scx/common.bpf.h", "scx/compat.bpf.h", "scx/more.bpf.h")
_FUNCTION = re.compile(r"^static __always_inline __maybe_unused [^(\n]*?((?!__)\w+)\(", re.MULTILINE)
_MACRO = re.compile(r"^#define[ \t]+((?!__)\w+)", re.MULTILINE)
_PART = re.compile(
    r"""(?P<skipped>/\*.*?(?:\*/|\Z)|//[^\n]*|"(?:\\.|[^"\\\n])*"?|^[ \t]*\#(?:\\\r?\n|[^\n])*)"""
    r"""|(?P<token>\w+|[^\s\w])""",
    re.DOTALL | re.MULTILINE,
)
#: Kfuncs under names that the newest kernels lack; ``scx/compat.bpf.h`` has them all.
OLD_NAMES = frozenset(
    {
        "scx_bpf_dispatch",
        "scx_bpf_dispatch_vtime",
        "scx_bpf_consume",
        "scx_bpf_dispatch_from_dsq",
        "scx_bpf_dispatch_vtime_from_dsq",
        "scx_bpf_dispatch_from_dsq_set_slice",
        "scx_bpf_dispatch_from_dsq_set_vtime",
        "scx_bpf_switch_all",
    }
)
#: These make a name of what they are given; a use of them looks like a definition.
_DEFINING = frozenset({"BPF_STRUCT_OPS", "BPF_STRUCT_OPS_SLEEPABLE", "RESIZABLE_ARRAY"})
#: After these words, a name with parentheses is a call.
_NO_TYPES = frozenset({"return", "else", "case", "do", "goto", "sizeof", "typeof"})
#: Tokens of a parameter list. A source from a model may hold any number of open parentheses.
_LONGEST_LIST = 100


@functools.cache
def our_functions() -> frozenset[str]:
    """Return the names of our functions that a policy may bring itself."""
    return frozenset(_FUNCTION.findall(_headers()))


@functools.cache
def our_names() -> frozenset[str]:
    """Return the names of all macros and functions that a policy may bring itself."""
    return (frozenset(_MACRO.findall(_headers())) | our_functions()) - _DEFINING


def _headers() -> str:
    return "\n".join((POLICIES / "include" / name).read_text() for name in _HEADERS)


def brought_names(sources: Iterable[str]) -> tuple[str, ...]:
    """Return the names of ours that these sources define as functions, variables or enumerators, sorted.

    Args:
        sources: The texts of a policy's files.
    """
    return tuple(sorted({name for source in sources for name in _definitions(source)} & our_names()))


def uses_old_names(source: str) -> bool:
    """Return whether a source that includes none of our headers uses kfuncs by the names of Linux 6.12."""
    if re.search(r"#[ \t]*include[ \t]*[<\"]scx/", source):
        return False
    return any(match["token"] in OLD_NAMES for match in _PART.finditer(source))


def renaming(names: Iterable[str]) -> tuple[str, ...]:
    """Return the compiler's flags that give our functions of these names another name."""
    return tuple(f"-D{name}=__scx_own_{name}" for name in names if name in our_functions())


def undefine(names: Iterable[str]) -> str:
    """Return the text of the file that takes our macros, and the other names of our functions, away."""
    return "".join(f"#undef {name}\n" for name in names)


def _definitions(source: str) -> Iterator[str]:
    tokens = [match["token"] for match in _PART.finditer(source) if match["token"]]
    for at, name in enumerate(tokens):
        if name not in our_names():
            continue
        following = tokens[at + 1 : at + 3]
        if following[:1] == ["("]:
            if _follows_a_type(tokens, at) and _ends_a_function(tokens[at + 1 : at + _LONGEST_LIST]):
                yield name
        elif following[:1] == ["="] and following != ["=", "="] and tokens[at - 1] not in (".", ">"):
            yield name


def _follows_a_type(tokens: Sequence[str], at: int) -> bool:
    before = at - 1
    while before > at - 4 and tokens[before] == "*":
        before -= 1
    word = tokens[before]
    return (word.isidentifier() and word not in _NO_TYPES) if before >= 0 else False


def _ends_a_function(tokens: Sequence[str]) -> bool:
    """Return whether a list in parentheses is followed by a body, or by the end of a declaration."""
    depth = 0
    for at, token in enumerate(tokens):
        depth += (token == "(") - (token == ")")
        if not depth:
            rest = (word for word in tokens[at + 1 :] if not word.startswith("__"))
            return next(rest, "") in ("{", ";")
    return False
