"""Whether an entry is what it claims to be: first all that needs no machine, then trials are run again."""

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
from schedcp_gym.leaderboard.entry import (
    MANIFEST,
    agent_digest,
    derived,
    file_digests,
    is_derived,
    manifest_digest,
    read_manifest,
    read_runs,
)
from schedcp_gym.leaderboard.intake import look_over
from schedcp_gym.leaderboard.refusal import Kind, Refusal
from schedcp_gym.leaderboard.rerun import Sample, rerun, trials_of
from schedcp_gym.leaderboard.suites import audit_suite
from schedcp_gym.paths import CONFIGS
from schedcp_gym.run.folder import BEST, CONFIG, RECORD, RUNS, SUMMARY, UNREADABLE, RunFolder
from schedcp_gym.spec import Clock, SchedcpError

AUDITS: tuple[Callable[[RunFolder], Iterator[Refusal]], ...] = (
    audit_config,
    audit_trials,
    audit_order,
    audit_totals,
    audit_agent,
)


@dataclass(frozen=True)
class Report:
    """What a check has found.

    Attributes:
        entry: The entry's folder.
        clock: Of its machine; empty where it could not be read.
        refusals: Why it is refused; none: it is accepted.
        trials: Different trials in it.
        repeated: How many of them were run again, and gave the same.
        draw: Seed of the sample.
    """

    entry: Path
    clock: str
    refusals: tuple[Refusal, ...]
    trials: int = 0
    repeated: int = 0
    draw: int | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether nothing was found against it."""
        return not self.refusals


def check_entry(
    entry: Path, sample: Sample, lab: Callable[[], Lab], done: Callable[[int, int], None] | None = None
) -> Report:
    """Checks an entry. A machine is started only if there is nothing else against it.

    Args:
        entry: Its folder.
        sample: Which trials are run again.
        lab: Gives the lab that runs them; it must use and keep nothing of the store.
        done: Told how many are done, of how many.

    Raises:
        SchedcpError: Image, QEMU or compiler is missing.
    """
    refusals, runs = audit(entry)
    clock = runs[0].settings.machine.clock.value if runs else ""
    report = Report(entry, clock, tuple(refusals))
    if refusals:
        return report
    trials = trials_of(runs)
    report = dataclasses.replace(report, trials=len(trials))
    if clock != Clock.VIRTUAL.value or sample.is_empty:
        return report
    found, repeated = rerun(trials, sample, lab(), done)
    return dataclasses.replace(report, refusals=tuple(found), repeated=repeated, draw=sample.draw)


def audit(entry: Path) -> tuple[list[Refusal], list[RunFolder]]:
    """Return all that can be said of an entry without a machine, and its runs as far as they can be read."""
    if refusals := look_over(entry):
        return refusals, []
    try:
        manifest = read_manifest(entry)
    except SchedcpError as error:
        return [Refusal(Kind.MISSING, MANIFEST, str(error))], []
    refusals = list(_files(entry, manifest))
    if not (entry / RUNS).is_file():
        return refusals or [Refusal(Kind.MISSING, RUNS, "the file is not there")], []
    claimed = read_runs(entry)
    runs: list[RunFolder] = []
    for run in claimed:
        if found := list(_unreadable(run)):
            refusals += found
        else:
            runs.append(run)
            refusals += _audit_run(run)
    if not runs:
        return refusals or [Refusal(Kind.MISSING, RUNS, "there are no runs in it")], []
    try:
        refusals += [*audit_suite(runs), *_agents(entry, manifest, runs)]
    except UNREADABLE as error:
        refusals.append(Refusal(Kind.CONFIG, CONFIG, f"a run's can't be read: {_text(error)}"))
    if len(runs) == len(claimed):
        refusals += _manifest(entry, manifest, runs)
    return refusals, runs


def _files(entry: Path, manifest: dict[str, Any]) -> Iterator[Refusal]:
    if manifest.get("digest") != manifest_digest(manifest):
        yield Refusal(Kind.MANIFEST, MANIFEST, "it was changed: its digest is another")
    claimed, there = manifest["files"], file_digests(entry)
    for name in sorted(claimed.keys() | there.keys()):
        if name not in there:
            yield Refusal(Kind.MISSING, name, "the file is not there")
        elif name not in claimed:
            yield Refusal(Kind.DAMAGED, name, f"the file is not in {MANIFEST}")
        elif claimed[name] != there[name]:
            yield Refusal(Kind.DAMAGED, name, "the file is not the one that was submitted: its digest is another")


def _unreadable(run: RunFolder) -> Iterator[Refusal]:
    """Say which files of a run are missing or damaged."""
    missing = [name for name in (CONFIG, RECORD, SUMMARY) if name not in run.files]
    yield from (Refusal(Kind.MISSING, run.file(name), "the file is not there") for name in missing)
    if missing:
        return
    try:
        run.load()
    except UNREADABLE as error:
        yield Refusal(Kind.DAMAGED, run.where, f"can't be read: {_text(error)}")


def _audit_run(run: RunFolder) -> list[Refusal]:
    found: list[Refusal] = []
    for look in AUDITS:
        try:
            found += look(run)
        except UNREADABLE as error:
            # What a missing source or a missing trial makes impossible was told with it.
            if not found:
                names = f"{RECORD}, {SUMMARY} or {BEST}"
                found.append(Refusal(Kind.DAMAGED, run.where, f"{names} can't be read: {_text(error)}"))
    return found


def _agents(entry: Path, manifest: dict[str, Any], runs: list[RunFolder]) -> Iterator[Refusal]:
    """Check that a name of this checkout's agents stands for that agent's class, and that the agent's code is known."""
    for run in runs:
        own = CONFIGS / "agent" / f"{Path(run.agent).name}.yaml"
        if own.is_file() and (target := yaml.safe_load(own.read_text()).get("_target_")) not in (None, run.target):
            yield Refusal(Kind.AGENT, run.file(CONFIG), f"{run.agent} is {target}, not {run.target}")
    if any((entry / AGENT).rglob("*.py")):
        return
    sha256, commit = (manifest["agent"].get(name) for name in ("sha256", "commit"))
    if not isinstance(sha256, str) or not isinstance(commit, str):
        yield Refusal(Kind.MISSING, AGENT, "the agent's code is not there, nor a commit that has it")
        return
    found = committed_digest(runs[0].target, commit)
    # Without the history, as in an unpacked archive, a commit can't be looked up, and nothing is said about it.
    if found is None and (has_history() or not is_commit(commit)):
        why = f"the agent's code is not there: this repository has no {runs[0].target} at commit {commit}"
        yield Refusal(Kind.AGENT, f"{MANIFEST} agent", why)
    elif found not in (None, sha256):
        why = f"the agent's code at commit {commit} has another digest: {found}"
        yield Refusal(Kind.AGENT, f"{MANIFEST} agent", why)


def _manifest(entry: Path, manifest: dict[str, Any], runs: list[RunFolder]) -> Iterator[Refusal]:
    try:
        agent = {name: manifest["agent"].get(name) for name in ("sha256", "commit")}
        if (entry / AGENT).is_dir():
            agent = {"sha256": agent_digest(entry), "commit": None}
        expected = derived(runs, agent)
    except UNREADABLE as error:
        yield Refusal(Kind.MANIFEST, MANIFEST, f"it can't follow from the runs: {_text(error)}")
        return
    for key in sorted(expected.keys() | {key for key in manifest if is_derived(key)}):
        if manifest.get(key) != expected.get(key):
            yield Refusal(
                _KINDS.get(key, Kind.MANIFEST), f"{MANIFEST} {key}", _told(manifest.get(key), expected.get(key))
            )


_KINDS = {"agent": Kind.AGENT, "model": Kind.AGENT, "budget": Kind.BUDGET, "costs": Kind.COST, "digests": Kind.IMAGE}


def _told(told: Any, expected: Any) -> str:
    if isinstance(told, dict) and isinstance(expected, dict):
        keys = [key for key in sorted(told.keys() | expected.keys()) if told.get(key) != expected.get(key)]
        told, expected = ({key: each.get(key) for key in keys} for each in (told, expected))
    are_runs = isinstance(expected, list) and all(isinstance(mine, dict) for mine in expected)
    if are_runs and isinstance(told, list) and len(told) == len(expected):
        folders = [str(mine["folder"]) for theirs, mine in zip(told, expected, strict=True) if theirs != mine]
        return f"says otherwise of {', '.join(folders)} than the runs themselves"
    return f"is {told}, by the runs it is {expected}"


def _text(error: BaseException) -> str:
    words = str(error).split("\n")[0]
    return f"there is no {words}" if isinstance(error, KeyError) else words or type(error).__name__
