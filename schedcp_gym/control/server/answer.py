"""What a tool gives: text for a model, data for a program, and what it cost."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schedcp_gym.llm import tokens

#: Tokens of a page of a long text.
PAGE_TOKENS = 2500


@dataclass(frozen=True)
class Answer:
    """A tool's result.

    Attributes:
        text: For a model: nothing in it differs from host to host or from run to run, tokens of the verifier aside.
        data: The same as plain values that JSON has words for.
        guest_s: Guest seconds of the runs behind it, whether they were made now or known already; None: nothing runs.
        cached: Whether all of it was known already.
    """

    text: str
    data: Mapping[str, Any] = field(default_factory=dict)
    guest_s: float | None = None
    cached: bool = False

    def structured(self, host_s: float) -> dict[str, Any]:
        """The data with the costs, as it is sent."""
        costs: dict[str, Any] = {"host_s": round(host_s, 3)}
        if self.guest_s is not None:
            costs |= {"guest_s": round(self.guest_s, 6), "cached": self.cached}
        return {**plain(self.data), **costs}


@dataclass(frozen=True)
class Page:
    """Some lines of a long text.

    Attributes:
        text: The lines.
        first_line: The first one's number, from 1.
        last_line: The last one's.
        lines: How many there are in all.
    """

    text: str
    first_line: int
    last_line: int
    lines: int

    @property
    def next_line(self) -> int | None:
        """Where to read on; None at the end."""
        return self.last_line + 1 if self.last_line < self.lines else None

    def data(self) -> dict[str, Any]:
        """The page as plain values."""
        return {**dataclasses.asdict(self), "next_line": self.next_line}


def page(text: str, first_line: int, limit: int = PAGE_TOKENS) -> Page | None:
    """As many lines of a text, from one on, as a number of tokens allows; at least one, which may be cut.

    Returns:
        The page; None if there is no such line.
    """
    lines = text.splitlines() or [""]
    if not 1 <= first_line <= len(lines):
        return None
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
    """Plain values for JSON: tuples become lists, enumerations words, numbers that are none become None."""
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
