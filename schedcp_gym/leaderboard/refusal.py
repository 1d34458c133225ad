"""Why an entry is refused."""

import enum
from dataclasses import dataclass


class Kind(enum.StrEnum):
    """What is wrong with a record."""

    MISSING = "missing"  # a file, a trial, a task is not there
    DAMAGED = "damaged"  # it can't be read, or is not the file that was submitted
    MANIFEST = "manifest"  # entry.json says otherwise than the runs
    AGENT = "agent"  # the agent is not the one that is named
    CONFIG = "config"  # the configuration is not that of the trials, or of the suite
    POLICY = "policy"  # a source is not the one that was measured
    TRIAL = "trial"  # a measurement is of another trial: other seed, tunables, policy
    NUMBER = "number"  # a figure does not follow from the measurements
    DUPLICATE = "duplicate"  # a trial or run that is there twice
    HELDOUT = "heldout"  # held-out seeds or variants that the search has seen, or that are not the test's
    CHOSEN = "chosen"  # the policy that was tested is not the one that was chosen
    BUDGET = "budget"  # more was used than was allowed
    COST = "cost"  # a cost does not follow from the ledger
    IMAGE = "image"  # measured with another image, QEMU, compiler, or workload
    RERUN = "rerun"  # a trial that was run again gives something else
    HOST = "host"  # the host failed: nothing is said about the entry, but it can't be accepted


@dataclass(frozen=True)
class Refusal:
    """One reason.

    Attributes:
        kind: What is wrong.
        record: The file, and the line in it, or the key.
        reason: In words.
    """

    kind: Kind
    record: str
    reason: str

    def __str__(self) -> str:
        """In one line."""
        return f"{self.record}: {self.reason}"
