"""Running an entry's trials again."""

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from schedcp_gym.lab import Lab
from schedcp_gym.lab.check import compare
from schedcp_gym.leaderboard.refusal import Kind, Refusal
from schedcp_gym.run.folder import RunFolder
from schedcp_gym.run.lines import is_trial, measurement_of
from schedcp_gym.spec import Measurement, Outcome, Trial

#: Digests that must be as here for a trial to give the same.
NEEDED = ("image", "qemu", "machine", "kernel", "workload", "runner", "clang")


@dataclass(frozen=True)
class Sample:
    """Which trials are run again.

    Attributes:
        count: So many, drawn by chance; None: all.
        draw: Seed of the draw.
    """

    count: int | None
    draw: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing is run."""
        return self.count == 0


@dataclass(frozen=True)
class Claimed:
    """A trial of an entry, and what it is claimed to have given; ``record``: the line that says so."""

    record: str
    trial: Trial
    measurement: Measurement


def trials_of(runs: Sequence[RunFolder]) -> list[Claimed]:
    """Each different claim of an entry once: lines that say the same of the same trial are one."""
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
    claims: Sequence[Claimed], sample: Sample, lab: Lab, done: Callable[[int, int], None] | None = None
) -> tuple[list[Refusal], int]:
    """Runs trials again and compares every figure; returns what differs, and how many were equal.

    Nothing is run if one was measured with another image, QEMU, compiler or workload: what it gave can't be had here.

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

    def told(_at: int, _measured: Measurement) -> None:
        if done:
            done(next(counted), len(chosen))

    measured = lab.measure([claim.trial for claim in chosen], told)
    compared = [_compared(claim, now) for claim, now in zip(chosen, measured, strict=True)]
    refusals = [one for one in compared if one]
    return refusals, len(chosen) - len(refusals)


def _foreign(claim: Claimed, lab: Lab) -> Refusal | None:
    told, here = claim.measurement.digests, lab.parts(claim.trial)
    other = [name for name in NEEDED if name in told and told[name] != here.get(name)]
    if not other:
        return None
    words = ", ".join(f"{name} {_short(told[name])}, here it is {_short(here.get(name, 'none'))}" for name in other)
    return Refusal(Kind.IMAGE, claim.record, f"measured with {words}: it can't be run again here")


def _short(text: str) -> str:
    return text[:12] if len(text) == 64 else text


def _compared(claim: Claimed, now: Measurement) -> Refusal | None:
    if now.outcome is Outcome.INFRA_FAULT:
        return Refusal(Kind.HOST, claim.record, f"the host failed when it was run again: {now.message}")
    differences = compare(claim.measurement, now)
    if not differences:
        return None
    first = differences[0]
    more = f" ({len(differences)} figures differ)" if len(differences) > 1 else ""
    return Refusal(Kind.RERUN, claim.record, f"{first.figure} is {first.stored}, run again it is {first.now}{more}")
