"""Reasons why the leaderboard refuses an entry."""

import enum
from dataclasses import dataclass


class FlawKind(enum.StrEnum):
    """Kinds of reasons to refuse an entry."""

    MISSING = "missing"  # a file, trial or task is missing
    DAMAGED = "damaged"  # a file cannot be read, or is not the submitted one
    MANIFEST = "manifest"  # entry.json differs from the runs
    AGENT = "agent"  # the agent is not the named one
    CONFIG = "config"  # the configuration differs from that of the trials or of the suite
    POLICY = "policy"  # a source is not the measured one
    TRIAL = "trial"  # a measurement belongs to another trial: other seed, tunables or policy
    NUMBER = "number"  # a figure does not follow from the measurements
    DUPLICATE = "duplicate"  # a trial or run occurs twice
    HELDOUT = "heldout"  # the search used held-out seeds or variants, or the test used others
    CHOSEN = "chosen"  # the tested policy is not the chosen one
    BUDGET = "budget"  # more was used than the budget allows
    COST = "cost"  # a cost does not follow from the ledger
    IMAGE = "image"  # measured with another image, QEMU, compiler or workload
    RERUN = "rerun"  # a trial gives another result when it runs again
    HOST = "host"  # the host failed, so the entry could not be checked


@dataclass(frozen=True)
class Flaw:
    """One reason to refuse an entry.

    Attributes:
        kind: Kind of the reason.
        record: The file, with its line or key.
        reason: The reason in words.
    """

    kind: FlawKind
    record: str
    reason: str

    def __str__(self) -> str:
        """Return the flaw in one line."""
        return f"{self.record}: {self.reason}"
