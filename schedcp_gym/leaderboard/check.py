"""Check an entry: first everything that needs no machine, then by running trials again."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from schedcp_gym.lab import Lab
from schedcp_gym.leaderboard.agent_code import AGENT, committed_digest, has_history, is_commit
from schedcp_gym.leaderboard.audit_agent import audit_agent
from schedcp_gym.leaderboard.audit_config import audit_config
from schedcp_gym.leaderboard.audit_order import audit_order
from schedcp_gym.leaderboard.audit_totals import audit_totals
from schedcp_gym.leaderboard.audit_trials import audit_trials
from schedcp_gym.leaderboard.flaw import Flaw, FlawKind
from schedcp_gym.leaderboard.intake import look_over
from schedcp_gym.leaderboard.manifest import (
    MANIFEST,
    agent_digest,
    derived,
    file_digests,
    is_derived,
    manifest_digest,
    read_manifest,
    read_runs,
)
from schedcp_gym.leaderboard.rerun import RerunSample, rerun, trials_of
from schedcp_gym.leaderboard.suites import audit_suite
from schedcp_gym.paths import CONFIGS
from schedcp_gym.run.folder import BEST, CONFIG, RECORD, RUNS, SUMMARY, UNREADABLE, RunFolder
from schedcp_gym.spec import Clock, SchedcpError

AUDITS: tuple[Callable[[RunFolder], Iterator[Flaw]], ...] = (
    audit_config,
    audit_trials,
    audit_order,
    audit_totals,
    audit_agent,
)


@dataclass(frozen=True)
class EntryCheck:
    """Result of the check of an entry.

    Attributes:
        entry: The entry's folder.
        clock: Clock of its machine; empty if it could not be read.
        flaws: Reasons to refuse it; without any it is accepted.
        trials: Number of different trials.
        repeated: Number of trials that ran again with an equal result.
        draw: Seed of the sample; None if nothing ran again.
    """

    entry: Path
    clock: str
    flaws: tuple[Flaw, ...]
    trials: int = 0
    repeated: int = 0
    draw: int | None = None

    @property
    def is_accepted(self) -> bool:
        """Return whether the entry is accepted."""
        return not self.flaws


def check_entry(
    entry: Path, sample: RerunSample, lab: Callable[[], Lab], done: Callable[[int, int], None] | None = None
) -> EntryCheck:
    """Check an entry. A machine is started only if the files have no flaw.

    Args:
        entry: Its folder.
        sample: The trials to run again.
        lab: Returns the lab that runs them. It must not use the store.
        done: Called with the number of finished trials, and of all.

    Raises:
        SchedcpError: Image, QEMU or compiler is missing.

    Example:
        >>> lab = lambda: Lab(cache=False, keep=False)
        >>> check_entry(Path("results/leaderboard/mine"), RerunSample(10), lab).is_accepted  # doctest: +SKIP
    """
    flaws, runs = audit(entry)
    clock = runs[0].settings.machine.clock.value if runs else ""
    found = EntryCheck(entry, clock, tuple(flaws))
    if flaws:
        return found
    trials = trials_of(runs)
    found = dataclasses.replace(found, trials=len(trials))
    if clock != Clock.VIRTUAL.value or sample.is_empty:
        return found
    differing, repeated = rerun(trials, sample, lab(), done)
    return dataclasses.replace(found, flaws=tuple(differing), repeated=repeated, draw=sample.draw)


def audit(entry: Path) -> tuple[list[Flaw], list[RunFolder]]:
    """Return the flaws of an entry that can be found without a machine, and its readable runs."""
    if flaws := look_over(entry):
        return flaws, []
    try:
        manifest = read_manifest(entry)
    except SchedcpError as error:
        return [Flaw(FlawKind.MISSING, MANIFEST, str(error))], []
    flaws = list(_files(entry, manifest))
    if not (entry / RUNS).is_file():
        return flaws or [Flaw(FlawKind.MISSING, RUNS, "the file is missing")], []
    claimed = read_runs(entry)
    runs: list[RunFolder] = []
    for run in claimed:
        if found := list(_unreadable(run)):
            flaws += found
        else:
            runs.append(run)
            flaws += _audit_run(run)
    if not runs:
        return flaws or [Flaw(FlawKind.MISSING, RUNS, "it has no runs")], []
    try:
        flaws += [*audit_suite(runs), *_agents(entry, manifest, runs)]
    except UNREADABLE as error:
        flaws.append(Flaw(FlawKind.CONFIG, CONFIG, f"a run's configuration cannot be read: {_text(error)}"))
    if len(runs) == len(claimed):
        flaws += _manifest(entry, manifest, runs)
    return flaws, runs


def _files(entry: Path, manifest: dict[str, Any]) -> Iterator[Flaw]:
    if manifest.get("digest") != manifest_digest(manifest):
        yield Flaw(FlawKind.MANIFEST, MANIFEST, "it was changed: its digest differs")
    claimed, there = manifest["files"], file_digests(entry)
    for name in sorted(claimed.keys() | there.keys()):
        if name not in there:
            yield Flaw(FlawKind.MISSING, name, "the file is missing")
        elif name not in claimed:
            yield Flaw(FlawKind.DAMAGED, name, f"the file is not in {MANIFEST}")
        elif claimed[name] != there[name]:
            yield Flaw(FlawKind.DAMAGED, name, "the file is not the submitted one: its digest differs")


def _unreadable(run: RunFolder) -> Iterator[Flaw]:
    """Return the missing or damaged files of a run."""
    missing = [name for name in (CONFIG, RECORD, SUMMARY) if name not in run.files]
    yield from (Flaw(FlawKind.MISSING, run.file(name), "the file is missing") for name in missing)
    if missing:
        return
    try:
        run.load()
    except UNREADABLE as error:
        yield Flaw(FlawKind.DAMAGED, run.where, f"cannot be read: {_text(error)}")


def _audit_run(run: RunFolder) -> list[Flaw]:
    found: list[Flaw] = []
    for look in AUDITS:
        try:
            found += look(run)
        except UNREADABLE as error:
            # A flaw that was found already, like a missing source, is the cause of this error.
            if not found:
                names = f"{RECORD}, {SUMMARY} or {BEST}"
                found.append(Flaw(FlawKind.DAMAGED, run.where, f"{names} cannot be read: {_text(error)}"))
    return found


def _agents(entry: Path, manifest: dict[str, Any], runs: list[RunFolder]) -> Iterator[Flaw]:
    """Check that the agent's class belongs to its name, and that the agent's code is known."""
    for run in runs:
        own = CONFIGS / "agent" / f"{Path(run.agent).name}.yaml"
        if own.is_file() and (target := yaml.safe_load(own.read_text()).get("_target_")) not in (None, run.target):
            yield Flaw(FlawKind.AGENT, run.file(CONFIG), f"{run.agent} is {target}, not {run.target}")
    if any((entry / AGENT).rglob("*.py")):
        return
    sha256, commit = (manifest["agent"].get(name) for name in ("sha256", "commit"))
    if not isinstance(sha256, str) or not isinstance(commit, str):
        yield Flaw(FlawKind.MISSING, AGENT, "the agent's code is missing, and no commit is named that has it")
        return
    found = committed_digest(runs[0].target, commit)
    # Without the history, as in an unpacked archive, a commit cannot be checked.
    if found is None and (has_history() or not is_commit(commit)):
        why = f"the agent's code is missing: this repository has no {runs[0].target} at commit {commit}"
        yield Flaw(FlawKind.AGENT, f"{MANIFEST} agent", why)
    elif found not in (None, sha256):
        why = f"the agent's code at commit {commit} has another digest: {found}"
        yield Flaw(FlawKind.AGENT, f"{MANIFEST} agent", why)


def _manifest(entry: Path, manifest: dict[str, Any], runs: list[RunFolder]) -> Iterator[Flaw]:
    try:
        agent = {name: manifest["agent"].get(name) for name in ("sha256", "commit")}
        if (entry / AGENT).is_dir():
            agent = {"sha256": agent_digest(entry), "commit": None}
        expected = derived(runs, agent)
    except UNREADABLE as error:
        yield Flaw(FlawKind.MANIFEST, MANIFEST, f"it cannot be derived from the runs: {_text(error)}")
        return
    for key in sorted(expected.keys() | {key for key in manifest if is_derived(key)}):
        if manifest.get(key) != expected.get(key):
            why = _difference(manifest.get(key), expected.get(key))
            yield Flaw(_KINDS.get(key, FlawKind.MANIFEST), f"{MANIFEST} {key}", why)


_KINDS = {
    "agent": FlawKind.AGENT,
    "model": FlawKind.AGENT,
    "budget": FlawKind.BUDGET,
    "costs": FlawKind.COST,
    "digests": FlawKind.IMAGE,
}


def _difference(claimed: Any, expected: Any) -> str:
    if isinstance(claimed, dict) and isinstance(expected, dict):
        keys = [key for key in sorted(claimed.keys() | expected.keys()) if claimed.get(key) != expected.get(key)]
        claimed, expected = ({key: each.get(key) for key in keys} for each in (claimed, expected))
    are_runs = isinstance(expected, list) and all(isinstance(mine, dict) for mine in expected)
    if are_runs and isinstance(claimed, list) and len(claimed) == len(expected):
        folders = [str(mine["folder"]) for theirs, mine in zip(claimed, expected, strict=True) if theirs != mine]
        return f"differs from the runs in {', '.join(folders)}"
    return f"is {claimed}, but {expected} by the runs"


def _text(error: BaseException) -> str:
    words = str(error).split("\n")[0]
    return f"there is no {words}" if isinstance(error, KeyError) else words or type(error).__name__
