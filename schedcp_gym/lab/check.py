"""Check stored measurements: run their trials again and compare for equality."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from schedcp_gym.lab import catalogue
from schedcp_gym.lab.lab import Lab
from schedcp_gym.lab.store import Filter, Stored, TrialStore
from schedcp_gym.spec import BadInput, Clock, Measurement, Outcome, Trial


class Sources(Protocol):
    """A place that has the sources of measured policies."""

    def source(self, sha256: str) -> str | None:
        """Return a policy's source by its SHA-256 (hex); None if it is not there any more."""


@dataclass(frozen=True)
class Difference:
    """A figure in which two measurements differ; None on the side that lacks it."""

    figure: str
    stored: object
    now: object


@dataclass(frozen=True)
class Checked:
    """A stored measurement, compared with a new one.

    Attributes:
        entry: What is stored.
        differences: What differs; empty when all is equal.
        hindrance: Why it could not be run again; empty when it was.
    """

    entry: Stored
    differences: tuple[Difference, ...] = ()
    hindrance: str = ""


def choose(store: TrialStore, which: Filter, sample: int | None, seed: int) -> list[Stored]:
    """Return stored measurements of the virtual clock, drawn at random; all if there is no number."""
    entries = [entry for entry in store.each(which) if entry.config.clock == Clock.VIRTUAL]
    if sample is None or sample >= len(entries):
        return entries
    return random.Random(seed).sample(entries, sample)


def check(
    sources: Sources, entries: Sequence[Stored], lab: Lab, done: Callable[[Checked], None] = lambda _: None
) -> list[Checked]:
    """Run trials again and compare them; the order is kept.

    Args:
        sources: Has their policies.
        entries: Which measurements.
        lab: Must use and keep nothing of the store (``Lab(cache=False, keep=False)``).
        done: Called with each as soon as it is there, from the thread that measured.

    Raises:
        SchedcpError: Image, QEMU or compiler is missing.
    """
    again = [_trial(sources, entry, lab) for entry in entries]
    found = {at: Checked(entries[at], hindrance=one) for at, one in enumerate(again) if isinstance(one, str)}
    trials = {at: one for at, one in enumerate(again) if isinstance(one, Trial)}
    places = list(trials)
    for checked in found.values():
        done(checked)

    def measured(number: int, measurement: Measurement) -> None:
        at = places[number]
        found[at] = _checked(entries[at], measurement)
        done(found[at])

    lab.measure(list(trials.values()), measured)
    return [found[at] for at in range(len(entries))]


def _checked(entry: Stored, now: Measurement) -> Checked:
    if now.outcome is Outcome.INFRA_FAULT:
        return Checked(entry, hindrance=f"fault of the host: {now.message}")
    return Checked(entry, compare(entry.measurement, now))


def _trial(sources: Sources, entry: Stored, lab: Lab) -> Trial | str:
    """Return the trial again, or why it can't be made."""
    source = sources.source(entry.config.source)
    if source is None:
        return "the policy's source is not kept any more"
    try:
        trial = entry.config.trial(source, catalogue.load_workload(entry.config.workload))
        if trial.digest != entry.measurement.trial:
            return f"the workload {entry.config.workload} has changed"
        now = lab.digests(trial)
    except (BadInput, KeyError, ValueError) as error:
        return str(error).split("\n")[0]
    for name in ("image", "qemu", "machine"):
        if entry.measurement.digests.get(name) != now[name]:
            return f"it was measured with another {name}"
    return trial


def compare(stored: Measurement, now: Measurement) -> tuple[Difference, ...]:
    """Return the figures in which two measurements of one trial differ, though they must be equal."""
    before, after = _flat(stored.exact()), _flat(now.exact())
    names = dict.fromkeys([*before, *after])
    return tuple(
        Difference(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)
    )


def _flat(exact: dict[str, Any]) -> dict[str, object]:
    figures: dict[str, object] = {}
    for name, value in exact.items():
        figures |= {f"{name}.{key}": one for key, one in value.items()} if isinstance(value, dict) else {name: value}
    return figures
