"""Write the record of a run: one JSON line for each measurement, which is on disk before the next one begins."""

import dataclasses
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from schedcp_gym.envs.base import Measures
from schedcp_gym.files import append_line, read_lines, write_whole
from schedcp_gym.run.folder import RECORD, SOURCE, SOURCES
from schedcp_gym.run.lines import Evaluation, Line, is_trial, line_of, measurement_of, typed_lines
from schedcp_gym.spec import Clock, Measurement, Policy, SchedcpError, Trial, source_sha256

#: Digests that are equal in all measurements of a run. A run cannot be resumed after one has changed.
COMMON_DIGESTS = ("image", "machine", "qemu", "workload", "runner", "clang")
#: Parts of an entry that may differ when a run is resumed: host times, and the costs of models, whose prices change.
NOT_EXACT = ("host", "llm")


class Record:
    """The file ``record.jsonl`` of a run's folder, and ``sources/`` beside it.

    A resumed run starts again from the beginning and takes measurements from the record (:class:`RecordedLab`). Its
    entries are compared with those in the record, and only new ones are appended.
    """

    def __init__(self, folder: Path) -> None:
        """Open the record, or start a new one. An incomplete last line (after a power failure) is removed.

        Raises:
            SchedcpError: A line is damaged.
        """
        self.folder = folder
        self.path = folder / RECORD
        self.old = typed_lines(read_lines(self.path, repair=True), str(self.path))
        self.entries: list[Line] = []
        self.policies: dict[str, Policy] = {}
        self._replay = deque(entry for entry in self.old if entry["kind"] != "heldout")
        self._old_heldout = [_exact(entry) for entry in self.old if entry["kind"] == "heldout"]
        self._digests: dict[str, str] = {}
        for entry in self.old:
            self._check_digests(entry)

    @property
    def evaluations(self) -> list[Evaluation]:
        """Return the entries of evaluated policies, in order."""
        return [entry for entry in self.entries if entry["kind"] == "evaluation"]

    def add(self, new: Mapping[str, Any], policy: Policy | None = None) -> None:
        """Append an entry, unless the record of an interrupted run has it already.

        Raises:
            SchedcpError: The record has another entry at this place.
            ValueError: The entry is not valid.
        """
        if policy is not None:
            self.policies[source_sha256(policy.source)] = policy
        entry = line_of(json.loads(json.dumps(new, allow_nan=False)))
        if entry["kind"] == "heldout" and _exact(entry) in self._old_heldout:
            self.entries.append(entry)
            return
        if entry["kind"] != "heldout" and self._replay:
            old = self._replay.popleft()
            if _exact(old) != _exact(entry):
                raise SchedcpError(
                    f"{self.path}: this run gives {_gist(entry)} where the record has {_gist(old)}: "
                    "the agent or its configuration has changed; use another run.dir for a new run"
                )
            self.entries.append(old)
            return
        self._check_digests(entry)
        if policy is not None:
            self._save_source(policy)
        append_line(self.path, entry)
        self.entries.append(entry)

    def _save_source(self, policy: Policy) -> None:
        path = self.folder / SOURCES / f"{source_sha256(policy.source)}{SOURCE}"
        if not policy.is_eevdf and not path.exists():
            path.parent.mkdir(exist_ok=True)
            write_whole(path, policy.source)

    def _check_digests(self, entry: Line) -> None:
        if entry["kind"] == "note":
            return
        digests = entry["measurement"]["digests"]
        for name in COMMON_DIGESTS:
            if name in digests and self._digests.setdefault(name, digests[name]) != digests[name]:
                raise SchedcpError(
                    f"{self.path}: {name} has changed since this run began, so new results cannot be compared with "
                    "its old ones; use another run.dir for a new run"
                )


class RecordedLab:
    """A lab that takes measurements from a record and measures only missing trials."""

    def __init__(self, lab: Measures, entries: Sequence[Line]) -> None:
        """Take the measurements from a record's entries."""
        self._lab = lab
        self._known: dict[str, deque[Measurement]] = {}
        for entry in entries:
            if entry["kind"] != "note" and is_trial(entry):
                measured = dataclasses.replace(measurement_of(entry), cached=True)
                self._known.setdefault(measured.trial, deque()).append(measured)

    @property
    def workers(self) -> int:
        """Return the number of trials that run at once."""
        return self._lab.workers

    def measure(
        self, trials: Sequence[Trial], done: Callable[[int, Measurement], None] | None = None
    ) -> list[Measurement]:
        """Return the measurements of trials, in their order."""
        found: dict[int, Measurement] = {}
        for index, trial in enumerate(trials):
            if queue := self._known.get(trial.digest):
                # On the real clock each repeat is a different measurement, so each recorded one is used once.
                found[index] = queue[0] if trial.machine.clock is Clock.VIRTUAL else queue.popleft()
                if done:
                    done(index, found[index])
        missing = [index for index in range(len(trials)) if index not in found]
        if missing:
            tell = None if done is None else lambda place, measured: done(missing[place], measured)
            found |= zip(missing, self._lab.measure([trials[index] for index in missing], tell), strict=True)
        return [found[index] for index in range(len(trials))]


def _exact(entry: Line) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in NOT_EXACT}


def _gist(entry: Line) -> str:
    if entry["kind"] == "note":
        return "a note"
    return f"{entry['kind']} {entry['policy']} {json.dumps(entry['tunables'])}"
