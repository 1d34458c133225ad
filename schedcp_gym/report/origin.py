"""Find the policy from which another was made, and the changes."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schedcp_gym.lab import catalogue
from schedcp_gym.run.folder import RunFolder
from schedcp_gym.spec import Policy, source_sha256

Entry = Mapping[str, Any]
#: Below this share of equal lines, "closest" says nothing.
ALIKE = 0.3


@dataclass(frozen=True)
class Origin:
    """The origin of a policy.

    Attributes:
        how: The origin in words; the other policy's name follows in the page.
        name: Name of the other policy; empty without one.
        diff: Lines of a unified diff from the other policy; empty if nothing changed.
    """

    how: str
    name: str = ""
    diff: tuple[str, ...] = ()


def origin_of(run: RunFolder, policy: Policy) -> Origin:
    """Return the origin of a policy: the one in the run's notes, else the most similar policy of the catalogue.

    Args:
        run: The run that chose the policy.
        policy: The policy, with a source.
    """
    library = {name: catalogue.load_policy(name) for name in catalogue.policy_names()[1:]}
    for known in library.values():
        if known.source == policy.source:
            return Origin("as it is in the catalogue")
    for name, source in _noted(run, policy, library):
        return Origin("made by the agent from", name, _diff(source, policy.source, name, policy.name))
    name, alike = max(
        ((name, _alike(each.source, policy.source)) for name, each in library.items()), key=lambda x: x[1]
    )
    if alike < ALIKE:
        return Origin("written by the agent; it is like none of the catalogue")
    diff = _diff(library[name].source, policy.source, name, policy.name)
    return Origin("written by the agent; nothing says what from, closest in the catalogue is", name, diff)


def _noted(run: RunFolder, policy: Policy, library: Mapping[str, Policy]) -> Iterator[tuple[str, str]]:
    """Yield name and source of each parent in the run's notes."""
    notes: list[Entry] = [line for line in run.record if line["kind"] == "note"]
    yield from _bred(run, policy, notes)
    for base in _planned(policy, notes):
        if base in library:
            yield base, library[base].source


def _bred(run: RunFolder, policy: Policy, notes: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    """Yield the parents of a policy of an evolutionary search, from the notes about births."""
    births = {note["member"]: note for note in notes if "member" in note and "parents" in note}
    mine = source_sha256(policy.source)
    for birth in births.values():
        if birth["source_sha256"] != mine:
            continue
        for parent in birth["parents"]:
            sha256 = births.get(parent, {}).get("source_sha256", mine)
            # A child that only changes a value has the same source as its parent.
            if sha256 != mine and sha256 in run.sources:
                yield f"{sha256[:12]} of this run", run.sources[sha256]


def _planned(policy: Policy, notes: Sequence[Entry]) -> Iterator[str]:
    """Yield the base that a plan names for the candidate that became the policy."""
    candidates: dict[str, Any] = {}
    for note in notes:
        candidates |= {each["name"]: each for each in (note.get("plan") or {}).get("candidates", [])}
        for attempt in (note.get("report") or {}).get("attempts", []):
            if attempt.get("policy") == policy.name and "policy" in candidates.get(attempt.get("candidate"), {}):
                yield str(candidates[attempt["candidate"]]["policy"])


def _alike(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one.splitlines(), other.splitlines(), autojunk=False).ratio()


def _diff(old: str, new: str, old_name: str, new_name: str) -> tuple[str, ...]:
    return tuple(difflib.unified_diff(old.splitlines(), new.splitlines(), old_name, new_name, lineterm="", n=3))
