"""A policy's card: what it does, what it is good for, and what it is bad for."""

import re
from dataclasses import dataclass

_GOOD = re.compile(r"^(?:Good|Best|Use|Suited) (?:for|when|where)\s*:", re.IGNORECASE)
_BAD = re.compile(r"^(?:Bad|Not|Worst|Poor|Avoid|Weak) ?(?:for|when|where|at)?\s*:", re.IGNORECASE)


@dataclass(frozen=True)
class Card:
    """The parts of a card, each in one line.

    Attributes:
        title: Its first sentence, without the policy's name.
        does: How it works.
        good: What it is good for.
        bad: What it is bad for.
        notes: What comes after these.
    """

    title: str
    does: str
    good: str
    bad: str
    notes: str


def read_card(card: str) -> Card:
    """Return the parts of a card. A card without ``Good for:`` and ``Bad for:`` has only a title and ``does``."""
    paragraphs: dict[str, list[str]] = {"does": [], "good": [], "bad": [], "notes": []}
    part = "does"
    lines = [line.strip() for line in card.strip().splitlines()]
    first, rest = (lines[0], lines[1:]) if lines else ("", [])
    for line in rest:
        if _GOOD.match(line):
            part = "good"
        elif _BAD.match(line):
            part = "bad"
        elif not line and part in ("good", "bad"):
            part = "notes"
        paragraphs[part].append(line)
    title = re.sub(r"^[A-Za-z0-9_.@+-]+:\s+", "", first)
    return Card(title, **{name: " ".join(" ".join(lines).split()) for name, lines in paragraphs.items()})


def good_sides(card: str) -> str:
    """Return what a policy is good for; if the card does not say that, its title and how it works."""
    parts = read_card(card)
    return parts.good or f"{parts.title} {parts.does}"
