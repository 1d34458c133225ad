"""Plain values for JSON, and pages of long texts."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schedcp_gym.llm import tokens
from schedcp_gym.spec import BadInput

#: Tokens of a page of a long text.
PAGE_TOKENS = 2500


@dataclass(frozen=True)
class Page:
    """Some lines of a long text.

    Attributes:
        text: The lines.
        first_line: Number of the first one, from 1.
        last_line: Number of the last one.
        lines: Number of lines of the whole text.
    """

    text: str
    first_line: int
    last_line: int
    lines: int

    @property
    def next_line(self) -> int | None:
        """First line of the next page; None at the end."""
        return self.last_line + 1 if self.last_line < self.lines else None

    def data(self) -> dict[str, Any]:
        """Return the page as plain values."""
        return {**dataclasses.asdict(self), "next_line": self.next_line}


def page(text: str, first_line: int, limit: int = PAGE_TOKENS, *, name: str = "the text") -> Page:
    """Return as many lines of a text as a number of tokens allows, at least one, which may be cut.

    Args:
        text: The whole text.
        first_line: Number of the first line of the page, from 1.
        limit: Limit of the page's tokens.
        name: What the text is called in an error.

    Raises:
        BadInput: The text has no such line.
    """
    lines = text.splitlines() or [""]
    if not 1 <= first_line <= len(lines):
        raise BadInput(f"{name} has {len(lines)} lines; there is no line {first_line}")
    shown: list[str] = []
    spent = 0
    for line in lines[first_line - 1 :]:
        spent += tokens.count(line[: 8 * limit] + "\n")
        if spent > limit:
            break
        shown.append(line)
    shown = shown or [lines[first_line - 1][:limit]]
    return Page("\n".join(shown), first_line, first_line - 1 + len(shown), len(lines))


def plain(value: Any) -> Any:
    """Return plain values for JSON: tuples become lists, enumerations words, NaN and infinities None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, str):
        return str(value.value) if hasattr(value, "value") else value
    if isinstance(value, (Sequence, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain({each.name: getattr(value, each.name) for each in dataclasses.fields(value)})
    return value
