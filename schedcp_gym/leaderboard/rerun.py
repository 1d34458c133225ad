"""Run trials of an entry again."""

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from schedcp_gym.lab import Lab
from schedcp_gym.lab.check import compare
from schedcp_gym.leaderboard.flaw import Flaw, FlawKind
from schedcp_gym.run.folder import RunFolder
from schedcp_gym.run.lines import is_trial, measurement_of
from schedcp_gym.spec import Measurement, Outcome, Trial

#: Digests that must be equal to this host's for a trial to give the same result.
NEEDED = ("image", "qemu", "machine", "kernel", "workload", "runner", "clang")


@dataclass(frozen=True)
class RerunSample:
    """The trials to run again.

    Attributes:
        count: Number of trials, drawn at random; None: all.
        draw: Seed of the draw.
    """

    count: int | None
    draw: int = 0

    @property
    def is_empty(self) -> bool:
        """Return whether no trial is run."""
        return self.count == 0


@dataclass(frozen=True)
class Claimed:
    """A trial of an entry with its claimed measurement; ``record`` is the line that has it."""

    record: str
    trial: Trial
    measurement: Measurement


def trials_of(runs: Sequence[RunFolder]) -> list[Claimed]:
    """Return the claims of an entry, each once, even if several lines have the same trial and measurement."""
    found: dict[str, Claimed] = {}
    for run in runs:
        for name, entry in run.trials:
            if is_trial(entry):
                measured = measurement_of(entry)
                key = f"{measured.trial} {measured.exact()}"
                if key not in found:
                    found[key] = Claimed(name, run.trial_of(entry), measured)
    return list(found.values())


def rerun(
    claims: Sequence[Claimed], sample: RerunSample, lab: Lab, done: Callable[[int, int], None] | None = None
) -> tuple[list[Flaw], int]:
    """Run trials again and compare every figure. Return the differences, and the number of equal trials.

    Nothing is run if a trial was measured with another image, QEMU, compiler or workload than this host has.

    Raises:
        SchedcpError: Image, QEMU or compiler is missing.
    """
    foreign = [found for claim in claims if (found := _foreign(claim, lab))]
    if foreign:
        return foreign, 0
    chosen = list(claims)
    if sample.count is not None and sample.count < len(chosen):
        chosen = random.Random(sample.draw).sample(chosen, sample.count)
    counted = itertools.count(1)

    def count(_at: int, _measured: Measurement) -> None:
        if done:
            done(next(counted), len(chosen))

    measured = lab.measure([claim.trial for claim in chosen], count)
    compared = [_compared(claim, now) for claim, now in zip(chosen, measured, strict=True)]
    flaws = [one for one in compared if one]
    return flaws, len(chosen) - len(flaws)


def _foreign(claim: Claimed, lab: Lab) -> Flaw | None:
    then, here = claim.measurement.digests, lab.parts(claim.trial)
    other = [name for name in NEEDED if name in then and then[name] != here.get(name)]
    if not other:
        return None
    words = ", ".join(f"{name} {_short(then[name])}, here it is {_short(here.get(name, 'none'))}" for name in other)
    return Flaw(FlawKind.IMAGE, claim.record, f"measured with {words}: it cannot be run again here")


def _short(text: str) -> str:
    return text[:12] if len(text) == 64 else text


def _compared(claim: Claimed, now: Measurement) -> Flaw | None:
    if now.outcome is Outcome.INFRA_FAULT:
        return Flaw(FlawKind.HOST, claim.record, f"the host failed when it ran again: {now.message}")
    differences = compare(claim.measurement, now)
    if not differences:
        return None
    first = differences[0]
    more = f" ({len(differences)} figures differ)" if len(differences) > 1 else ""
    return Flaw(
        FlawKind.RERUN, claim.record, f"{first.figure} is {first.stored}, but {first.now} when it runs again{more}"
    )
