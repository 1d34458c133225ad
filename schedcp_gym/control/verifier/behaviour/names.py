"""Names for the tasks of the starvation case: a policy may be bad for one name only, and then it holds that name."""

import re
import struct
from pathlib import Path

from schedcp_gym.lab import elf
from schedcp_gym.spec import Policy
from schedcp_gym.spec.policy import TEXT_MAX

COMMON = Path(__file__).with_name("names.txt")
#: As many as starvation.c takes.
NAMES_LIMIT = 160
#: Each alternative matches wherever it begins, closed or not: what a policy's author writes here is read in one go.
_COMMENT = re.compile(r"""("(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?)|/\*.*?(?:\*/|\Z)|//[^\n]*""", re.DOTALL)
_STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)("?)')
_CHARACTER = re.compile(r"'([^'\\\n])'")
#: Of 64 bits: Python refuses to read decimal numbers of some thousand digits.
_NUMBER = re.compile(r"\b(?:0[xX][0-9a-fA-F]{1,16}|\d{1,20})(?=[uUlL]*\b)", re.ASCII)
_PRINTABLE = re.compile(rb"[\x21-\x7e]{2,}")


def task_names(policy: Policy, compiled: bytes | None) -> list[str]:
    """Return names to give to tasks: first those that the policy itself holds, then common ones.

    Looked for in the policy: strings, characters in a row, numbers whose bytes are text, values of its tunables, and
    the text in its object's data.
    """
    found = [policy.name, *(str(value) for _, value in policy.tunables if isinstance(value, str))]
    code = _COMMENT.sub(lambda match: match[1] or " ", policy.source)
    found += _characters(code)
    found += [
        text for number in _NUMBER.findall(code) if (text := _text_of(int(number, 0 if "x" in number.lower() else 10)))
    ]
    found += [text for text, closed in _STRING.findall(code) if closed]
    if compiled:
        found += [text.decode() for text in _PRINTABLE.findall(_data_of(compiled))]
    held = [name for text in found if (name := _as_name(text))]
    common = COMMON.read_text().split()
    return list(dict.fromkeys([*held[: NAMES_LIMIT - len(common)], *common]))[:NAMES_LIMIT]


def _as_name(text: str) -> str:
    """Return a text as the name of a process; empty when hardly any process has such a name."""
    name = text.strip()[:TEXT_MAX]
    return name if len(name) > 1 and name.isascii() and name.isprintable() and "%" not in name else ""


def _characters(code: str) -> list[str]:
    """Return texts that are compared character by character: constants that lie close to each other."""
    texts, end = [], None
    for match in _CHARACTER.finditer(code):
        if end is not None and match.start() - end < 80:
            texts[-1] += match[1]
        else:
            texts.append(match[1])
        end = match.end()
    return texts


def _text_of(number: int) -> str:
    """Return the text that a number is in memory, or an empty one."""
    raw = number.to_bytes(max(1, (number.bit_length() + 7) // 8), "little").rstrip(b"\0") if number < 1 << 64 else b""
    return raw.decode() if len(raw) > 2 and re.fullmatch(rb"[\x21-\x7e]+", raw) else ""


def _data_of(compiled: bytes) -> bytes:
    """Return the bytes of an object's data sections; empty when it is no object."""
    try:
        found = elf.sections(compiled)
    except (struct.error, IndexError, ValueError, OverflowError):
        return b""
    return b"\0".join(section.content for section in found if section.name.startswith((".rodata", ".data")))
