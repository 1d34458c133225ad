"""What the repository has said of policies: names in its order, cards, tunables, sources."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from schedcp_gym.llm.providers._offline.conversation import Call

_NUMBER = re.compile(
    r"TUNABLE\(\s*(u32|u64|bool)\s*,\s*(\w+)\s*,\s*(\w+)\s*,\s*\"([^\"]*)\"\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(linear|log)\s*,"
    r"\s*\"([^\"]*)\"\s*\)",
)
_TEXT = re.compile(r"TUNABLE_(TEXT|CGROUP)\(\s*(\w+)\s*,\s*\"([^\"]*)\"\s*\)")
_GOOD = re.compile(
    r"(?:Good|Best|Suited|Use) (?:for|when|where)\s*:(.*?)(?=\n\s*\n|(?:Bad|Not|Avoid|Weak)[ a-z]*:|\Z)", re.I | re.S
)
_BAD = re.compile(r"(?:Bad|Worst|Poor|Avoid|Weak) ?(?:for|when|where|at)?\s*:(.*?)(?=\n\s*\n|\Z)", re.I | re.S)
_TIMES = re.compile(r"(\d+\.\d+)\s*(?:x|times)")
_TOLD = re.compile(
    r"^- (\w+) = ('[^']*'|\w+) \((?:(\d+) to (\d+)(?: ([^,)\n]*))?(, by factors)?|[^)]*)\): ?(.*)$", re.MULTILINE
)
#: Where a source begins in an answer, with or without line numbers.
_SOURCE = re.compile(r"^(?:\s*\d+[:|\t ]\s?)?(?://\s*SPDX|#include)", re.MULTILINE)
_NUMBERED = re.compile(r"^\s*\d+[:|\t] ?")


@dataclass(frozen=True)
class Tunable:
    """A tunable as its policy declares it; ``low`` and ``high`` are 0 for a text."""

    name: str
    type: str
    default: int | bool | str
    unit: str = ""
    low: int = 0
    high: int = 0
    log: bool = False
    text: str = ""

    @property
    def is_number(self) -> bool:
        """Whether it is neither a text nor a bool."""
        return self.type in ("u32", "u64")

    def inside(self, value: float) -> int:
        """A value within the range."""
        return int(min(max(round(value), self.low), self.high))


@dataclass(frozen=True)
class Known:
    """A policy, as far as it was told of.

    Attributes:
        name: As the tools take it.
        rank: Place in the first answer that named it, 0 the first.
        card: What was said of it, sources left out.
        good: Its good sides.
        bad: Its bad sides.
        tunables: As declared.
        source: Its source, as far as it was told.
        is_read: Whether it was looked at by itself, and not only found.
    """

    name: str
    rank: int
    card: str = ""
    good: str = ""
    bad: str = ""
    tunables: tuple[Tunable, ...] = ()
    source: str = ""
    is_read: bool = False

    def measured(self, workload: str) -> float:
        """The best improvement that its results on a workload are said to show, in times; 1 where none is told."""
        lines = [line for line in self.card.splitlines() if workload and f"{workload} (" in line]
        return max((float(found) for line in lines for found in _TIMES.findall(line)), default=1.0)

    def tunable(self, name: str) -> Tunable | None:
        """Its tunable of a name."""
        return next((tunable for tunable in self.tunables if tunable.name == name), None)


def tunables_of(text: str) -> tuple[Tunable, ...]:
    """The tunables that a source declares, or an answer quotes."""
    found: dict[str, Tunable] = {}
    for match in _NUMBER.finditer(text):
        type_, name, default, unit, low, high, scale, words = match.groups()
        value: int | bool = default == "true" if type_ == "bool" else int(default)
        found.setdefault(name, Tunable(name, type_, value, unit, int(low), int(high), scale == "log", words))
    for match in _TEXT.finditer(text):
        found.setdefault(match[2], Tunable(match[2], match[1].lower(), "", text=match[3]))
    for match in _TOLD.finditer(text):
        name, default, low, high, unit, log, words = match.groups()
        if name not in found:
            found[name] = _told(name, default, low, high, unit or "", bool(log), words)
    return tuple(found.values())


def _told(name: str, default: str, low: str | None, high: str | None, unit: str, log: bool, words: str) -> Tunable:
    """A tunable from a line of words: ``- slice_us = 20000 (100 to 1000000 us, by factors): …``."""
    if low and high:
        return Tunable(name, "u64", int(default), unit, int(low), int(high), log, words)
    if default in ("True", "False"):
        return Tunable(name, "bool", default == "True", text=words)
    return Tunable(name, "cgroup" if "cgroup" in words else "text", default.strip("'"), text=words)


def source_of(text: str) -> str:
    """The source in an answer, without line numbers; empty if there is none."""
    begin = _SOURCE.search(text)
    if not begin:
        return ""
    lines = text[begin.start() :].split("\n```")[0].splitlines()
    if lines and _NUMBERED.match(lines[0]):
        lines = [_NUMBERED.sub("", line) for line in lines]
    return "\n".join(lines) + "\n"


def policies(calls: Iterable[Call]) -> list[Known]:
    """What the repository's answers have told of policies, in the order in which they were first named."""
    calls = list(calls)
    names: list[str] = []
    cards: dict[str, str] = {}
    for call in calls:
        if call.name == "search_repository" and call.arguments.get("kind", "policy") == "policy":
            for name, card in hits(call.text):
                names.append(name)
                cards.setdefault(name, card)
        elif call.name == "get_policy":
            names.append(str(call.arguments.get("policy", "")))
    known = []
    for rank, name in enumerate(dict.fromkeys(names)):
        told = [call.text for call in calls if call.name == "get_policy" and call.arguments.get("policy") == name]
        known.append(_known(name, rank, cards.get(name, ""), told))
    return known


def hits(text: str) -> list[tuple[str, str]]:
    """Names that a search has found, and what it says of each, in its order."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        # "0.83 ljf (library): …", and what others would write: "1. ljf: …", "- ljf · …"
        name = re.match(r"(?:[-*#]+\s*|\d+[.)]\s+|\d+\.\d+\s+)?[`*]*([A-Za-z][\w.@+-]*)[`*]*\s*(?:[:·|(]|$)", line)
        is_new = name and not line.startswith((" ", "\t"))
        if is_new and name:
            found.append((name[1], line))
        elif found:
            found[-1] = (found[-1][0], f"{found[-1][1]}\n{line}")
    return found


def _known(name: str, rank: int, found: str, told: Sequence[str]) -> Known:
    text = "\n".join(told)
    source = source_of(text)
    card = text.replace(source.rstrip("\n"), "") if source else text
    card = card if _GOOD.search(card) else f"{card}\n{_comment(source)}"
    said = f"{found}\n{card}"
    return Known(
        name=name,
        rank=rank,
        card=said,
        good=_part(_GOOD, said),
        bad=_part(_BAD, said),
        tunables=tunables_of(text),
        source=source,
        is_read=bool(told),
    )


def _comment(source: str) -> str:
    """The first comment of a source, without its stars."""
    found = re.search(r"/\*(.*?)\*/", source, re.DOTALL)
    return re.sub(r"^\s*\* ?", "", found[1], flags=re.MULTILINE) if found else ""


def _part(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return " ".join(found[1].split()) if found else ""
