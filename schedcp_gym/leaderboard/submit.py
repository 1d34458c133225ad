"""Make entries from runs' folders, and write their runs as folders again."""

import re
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import schedcp_gym
from schedcp_gym.leaderboard.agent_code import code_digest, commit_of, read_code
from schedcp_gym.leaderboard.check import audit
from schedcp_gym.leaderboard.intake import look_over
from schedcp_gym.leaderboard.manifest import policies_of, seal
from schedcp_gym.run.costs import read_costs
from schedcp_gym.run.folder import (
    CONFIG,
    FILES,
    POLICIES,
    RUNS,
    SOURCE,
    SOURCES,
    TRANSCRIPT,
    TRANSCRIPTS,
    UNREADABLE,
    RunFolder,
    open_entry,
    runs_in,
)
from schedcp_gym.run.packed import write_packed
from schedcp_gym.run.scores import label_of
from schedcp_gym.spec import BadInput

#: Number of reasons that are printed when an entry is refused.
SHOWN = 5


@dataclass(frozen=True)
class Submission:
    """Options of a submission.

    Attributes:
        by: Name of the submitter.
        note: A note for readers.
        transcripts: Whether the prompts and answers of language models may be published.
        without_suite: Whether the entry belongs to no suite, but only to its tasks.
        replace: Whether an entry of the same name may be replaced.
    """

    by: str = ""
    note: str = ""
    transcripts: bool = True
    without_suite: bool = False
    replace: bool = False


def submit(paths: Sequence[Path], into: Path, given: Submission, *, agent: str | None = None) -> list[Path]:
    """Make an entry for each agent (with its model) that has runs in some folders.

    Args:
        paths: Folders of runs, or folders that contain runs.
        into: The folder of entries.
        given: Options of the submission.
        agent: Only this agent's runs.

    Returns:
        The entries' folders.

    Raises:
        BadInput: There are no runs, or they do not make a correct entry; the message has the reasons.
        SchedcpError: A run's file is damaged.
    """
    groups: dict[str, list[RunFolder]] = {}
    for run in runs_in(paths):
        costs = read_costs(run)
        label = label_of(costs)
        if agent in (None, label, costs.agent):
            groups.setdefault(label, []).append(run)
    if not groups:
        raise BadInput(f"there is no run of {agent} in these folders")
    return [_submit(label, runs, into, given) for label, runs in groups.items()]


def _submit(label: str, runs: Sequence[RunFolder], into: Path, given: Submission) -> Path:
    entry = into / entry_name(label, [run.config for run in runs], given)
    if entry.exists() and not given.replace:
        raise BadInput(f"{entry} exists already: use --replace")
    part = into / f".{entry.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
    except OSError as error:
        raise BadInput(f"cannot write entries into {into}: {error.strerror}") from None
    added: list[Path] = []
    try:
        _pack(runs, part, given)
        _add_policies(runs, into / POLICIES, added)
        _add_agent(runs[0].target, part)
        _seal(part, label, given)
        shutil.rmtree(entry, ignore_errors=True)
        part.rename(entry)
        added = []
    finally:
        shutil.rmtree(part, ignore_errors=True)
        for path in added:
            path.unlink()
    return entry


def _pack(runs: Sequence[RunFolder], part: Path, given: Submission) -> None:
    """Write all runs into one file, and all transcripts into another."""
    packed: dict[str, dict[str, bytes]] = {}
    transcripts: dict[str, dict[str, bytes]] = {}
    for run in runs:
        name = _run_name(run.config, packed)
        packed[name] = {file: run.files[file] for file in FILES if file in run.files}
        if given.without_suite and run.suite:
            config = {**run.config, "run": {**run.config["run"], "suite": None}}
            packed[name][CONFIG] = yaml.safe_dump(config, sort_keys=False).encode()
        if given.transcripts and TRANSCRIPT in run.files:
            transcripts[name] = {TRANSCRIPT: run.files[TRANSCRIPT]}
    write_packed(packed, part / RUNS)
    if transcripts:
        write_packed(transcripts, part / TRANSCRIPTS)


def _add_policies(runs: Sequence[RunFolder], folder: Path, added: list[Path]) -> None:
    """Add the missing sources of the runs' policies, and append their paths to ``added``."""
    folder.mkdir(exist_ok=True)
    for run in runs:
        for sha256 in policies_of([run]):
            path = folder / f"{sha256}{SOURCE}"
            if not path.exists() and sha256 in run.sources:
                added.append(path)
                path.write_bytes(run.sources[sha256].encode())


def _add_agent(target: str, part: Path) -> None:
    """Copy the agent's code, unless this repository has it: then the manifest names its commit."""
    code = read_code(target)
    if commit_of(target, code_digest(code)):
        return
    for name, content in code.items():
        (part / name).parent.mkdir(parents=True, exist_ok=True)
        (part / name).write_bytes(content)


def unpack(entry: Path, into: Path) -> list[Path]:
    """Write the runs of an entry as folders again, identical to the submitted ones.

    Args:
        entry: The entry's folder.
        into: Folder for the runs' folders.

    Returns:
        The runs' folders.

    Raises:
        BadInput: A run's folder exists already.
        OSError: The file of runs is missing.
        ValueError: It is damaged.
        KeyError: A policy's source is missing.
    """
    folders = []
    for run in open_entry(entry):
        folder = into / run.name
        if folder.exists():
            raise BadInput(f"{folder} exists already")
        for name, content in run.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        for sha256 in policies_of([run]):
            (folder / SOURCES).mkdir(exist_ok=True)
            (folder / SOURCES / f"{sha256}{SOURCE}").write_bytes(run.sources[sha256].encode())
        folders.append(folder)
    return folders


def _seal(part: Path, label: str, given: Submission) -> None:
    submitted = {"by": given.by, "note": given.note, "version": schedcp_gym.__version__}
    try:
        flaws = [str(one) for one in look_over(part)]
        if not flaws:
            seal(part, submitted)
            flaws = [str(one) for one in audit(part)[0]]
    except UNREADABLE as error:
        flaws = [str(error)]
    if flaws:
        more = [f"and {len(flaws) - SHOWN} more"] if len(flaws) > SHOWN else []
        raise BadInput("\n  ".join([f"{label} is not a correct entry:", *flaws[:SHOWN], *more]))


def entry_name(label: str, configs: Sequence[dict[str, Any]], given: Submission) -> str:
    """Return the name of an entry's folder: agent, model, and suite or workloads."""
    first = configs[0]
    suite = None if given.without_suite else first["run"].get("suite")
    workloads = sorted({str(config["workload"]["name"]) for config in configs})
    what = suite or "-".join([*(workloads if len(workloads) <= 2 else ["several"]), first["scale"]])
    return re.sub(r"[^A-Za-z0-9.-]+", "_", f"{label} {what}").strip("_")


def _run_name(config: dict[str, Any], taken: Collection[str]) -> str:
    name = f"{config['workload']['name']}_s{config['seed']}"
    same = sum(one.startswith(name) for one in taken)
    return f"{name}_{same + 1}" if same else name
