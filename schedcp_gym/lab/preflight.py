"""Refuse directives and assembler that have no place in a policy: found in its tokens, before any compiler runs.

The jail holds nothing worth reading, so these are refused for what they try. Includes are judged by what the compiler
has opened (:mod:`schedcp_gym.lab.compiler`): a branch that is never taken may name any file.

Why not libclang's tokenizer: it works on a parsed source only. So each compilation would need a second jail, and the
parser would read the source before the check that protects it.
"""

import ast
import re
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<space>[ \t\f\v]+|//[^\n]*|/\*.*?(?:\*/|\Z))|(?P<newline>\n)|(?P<string>(?:u8|[uUL])?"(?:\\.|[^"\\\n])*"?)
    |(?P<char>[uUL]?'(?:\\.|[^'\\\n])*'?)|(?P<word>[A-Za-z_$\x80-\U0010ffff][\w$\x80-\U0010ffff]*)|(?P<number>\.?\d[\w.]*)
    |(?P<mark>\#\#|%:%:|\#|%:|.)""",
    re.DOTALL | re.VERBOSE,
)
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")
_ASM = ("asm", "__asm", "__asm__")
#: A dot that begins a word, wherever: comments, {alternatives} and operands may hide where a statement begins.
#: Labels (.L…) are none.
_ASM_DIRECTIVE = re.compile(r"(?<![\w$])\.(?!L)\S*")
_ASM_QUALIFIERS = ("volatile", "__volatile", "__volatile__", "goto", "inline", "__inline", "__inline__")
_DIRECTIVES = {
    "embed": "#embed puts a file of the compiler's host into the policy",
    "include_next": "#include_next finds headers that are not the policy's",
    "import": "#import is not C, and hides what is included",
    "line": "#line makes the compiler name wrong places",
    "ident": "#ident has no use in a policy",
    "__include_macros": "#__include_macros hides what is included",
}
_PROBES = ("__has_include", "__has_include_next", "__has_embed")
_PRAGMAS = {"once", "unroll", "nounroll", "pack", "STDC"}
_PRAGMAS_OF = {"clang": {"loop", "diagnostic", "unroll"}, "GCC": {"diagnostic", "unroll"}}


@dataclass(frozen=True)
class Refusal:
    """A place in a source that is refused.

    Attributes:
        line: The line; None when it is about the whole source.
        what: What it is, and why it is refused.
    """

    line: int | None
    what: str


@dataclass(frozen=True)
class Include:
    """An include directive: its line, and the name between quotes or brackets."""

    line: int
    name: str


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    line: int


def refusals(source: str) -> tuple[Refusal, ...]:
    """Return what must not be in a policy's source, in order of lines."""
    if wrong := _NOT_TEXT.search(source):
        line = source.count("\n", 0, wrong.start()) + 1
        return (Refusal(line, "the source is not text: it holds a NUL, or is not valid UTF-8"),)
    tokens = _tokens(source)
    found = [*_of_directives(tokens), *_of_words(tokens)]
    return tuple(sorted(found, key=lambda refusal: refusal.line or 0))


def includes(source: str) -> tuple[Include, ...]:
    """Return the include directives, also of branches that are not taken."""
    found = []
    for words in _directives(_tokens(source)):
        if words[0].text == "include" and len(words) > 1:
            name = "".join(word.text for word in words[1:])
            found.append(Include(words[0].line, name.strip('"').removeprefix("<").partition(">")[0]))
    return tuple(found)


def _tokens(source: str) -> list[_Token]:
    """Return tokens as the preprocessor sees them: lines that end in a backslash are joined, comments are gone."""
    parts, starts, at = [], [], 0  # starts: where the source's second line and all others begin in the joined text
    for part in re.split(r"(\\[ \t]*\r?\n|\r?\n)", source):
        ends_line = part.endswith("\n")
        parts.append(("" if part.startswith("\\") else "\n") if ends_line else part)
        at += len(parts[-1])
        if ends_line:
            starts.append(at)
    return [
        _Token(match.lastgroup or "", match.group(), bisect(starts, match.start()) + 1)
        for match in _TOKEN.finditer("".join(parts))
        if match.lastgroup != "space"
    ]


def _directives(tokens: list[_Token]) -> Iterator[list[_Token]]:
    """Return the words of each directive, without the #."""
    words: list[_Token] | None = None
    fresh = True
    for token in [*tokens, _Token("newline", "\n", 0)]:
        if token.kind == "newline":
            if words:
                yield words
            words, fresh = None, True
        elif words is not None:
            words.append(token)
        else:
            words = [] if fresh and token.text in ("#", "%:") else None
            fresh = False


def _of_directives(tokens: list[_Token]) -> Iterator[Refusal]:
    for words in _directives(tokens):
        name, line = words[0].text, words[0].line
        if words[0].kind == "number":
            name = "line"
        if name in _DIRECTIVES:
            yield Refusal(line, f"{_DIRECTIVES[name]}: it is refused")
        elif name == "pragma":
            yield from _of_pragma(words[1:], line)
        elif name == "include" and len(words) > 1 and words[1].kind != "string" and words[1].text != "<":
            yield Refusal(line, "#include needs a name in quotes or angle brackets: a name made by a macro is refused")


def _of_pragma(words: list[_Token], line: int) -> Iterator[Refusal]:
    names = [word.text for word in words[:2]] + ["", ""]
    if words and names[0] not in _PRAGMAS and names[1] not in _PRAGMAS_OF.get(names[0], ()):
        yield Refusal(line, f"#pragma {names[0]} {names[1]}".rstrip() + " is refused: a policy needs only unroll")


def _of_words(tokens: list[_Token]) -> Iterator[Refusal]:
    solid = [token for token in tokens if token.kind != "newline"]
    for at, token in enumerate(solid):
        if token.kind != "word":
            continue
        if token.text in _PROBES:
            yield Refusal(token.line, f"{token.text} asks what files there are: it is refused")
        elif token.text in ("_Pragma", "__pragma"):
            inside = solid[at + 2 : at + 3]
            if token.text == "__pragma" or not inside or inside[0].kind != "string":
                yield Refusal(token.line, f"{token.text} is refused unless it takes a string")
            else:
                yield from _of_pragma(_tokens(_text(inside)), token.line)
        elif token.text in _ASM:
            yield from _of_asm(solid[at + 1 : at + 200], token.line)


def _of_asm(following: list[_Token], line: int) -> Iterator[Refusal]:
    """Find directives in inline assembler: they read files and repeat without end. Instructions are allowed."""
    rest = iter(following)
    opening = next((token for token in rest if token.text not in _ASM_QUALIFIERS), None)
    if opening is None or opening.text != "(":
        return
    template = []
    for token in rest:
        if token.text in (":", "::", ")"):
            break
        template.append(token)
        if token.kind != "string":
            yield Refusal(line, "inline assembler is refused unless its text is a plain string")
            return
    for directive in _ASM_DIRECTIVE.findall(_text(template)):
        yield Refusal(line, f"the assembler directive {directive[:20]} is refused: instructions only")


def _text(strings: list[_Token]) -> str:
    """Return what string literals hold."""
    text = ""
    for token in strings:
        try:
            text += str(ast.literal_eval(token.text.removeprefix("u8").lstrip("LuU")))
        except (SyntaxError, ValueError):
            text += token.text
    return text
