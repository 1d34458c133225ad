"""From runs' folders to an entry."""

import importlib.util
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import schedcp_gym
from schedcp_gym.leaderboard.check import UNREADABLE, audit
from schedcp_gym.leaderboard.claim import BEST, CONFIG, RECORD, SUMMARY, TOOLS
from schedcp_gym.leaderboard.command import PACKAGE
from schedcp_gym.leaderboard.entry import AGENT, RUNS, seal
from schedcp_gym.leaderboard.intake import look_over
from schedcp_gym.run.results import run_folders
from schedcp_gym.run.scores import agent_of
from schedcp_gym.spec import BadInput, SchedcpError

#: What of a run's folder goes into an entry.
FILES = (CONFIG, RECORD, SUMMARY, BEST, TOOLS, "llm/ledger.jsonl")
TRANSCRIPT = "llm/transcript.jsonl"
#: What an agent's code is made of.
CODE = (".py", ".md", ".yaml", ".json", ".c", ".h")
#: Reasons that are told when an entry is refused at once.
TOLD = 5


@dataclass(frozen=True)
class Submission:
    """What goes with the runs.

    Attributes:
        by: Who submits.
        note: What readers should know.
        transcripts: Whether what models were asked and answered may be published.
        without_suite: The entry stands for its tasks only, not for a suite.
        replace: An entry of the same name may be replaced.
    """

    by: str = ""
    note: str = ""
    transcripts: bool = True
    without_suite: bool = False
    replace: bool = False


def submit(paths: Sequence[Path], into: Path, given: Submission, *, agent: str | None = None) -> list[Path]:
    """Makes an entry for each agent (with its model) that has runs in some folders.

    Args:
        paths: Runs' folders, or ones that hold some.
        into: The folder of entries.
        given: What goes with them.
        agent: Only this agent's runs.

    Returns:
        The entries' folders.

    Raises:
        BadInput: There are no runs, or what would be an entry is not whole; the text says why.
        SchedcpError: A run's file is damaged.
    """
    groups: dict[str, list[Path]] = {}
    for folder in dict.fromkeys(found.resolve() for path in paths for found in run_folders(path)):
        label, name = agent_of(folder)
        if agent in (None, label, name):
            groups.setdefault(label, []).append(folder)
    if not groups:
        raise BadInput(f"there is no run of {agent} in these folders")
    return [_submit(label, folders, into, given) for label, folders in groups.items()]


def _submit(label: str, folders: Sequence[Path], into: Path, given: Submission) -> Path:
    configs = [yaml.safe_load((folder / CONFIG).read_text()) for folder in folders]
    entry = into / entry_name(label, configs, given)
    if entry.exists() and not given.replace:
        raise BadInput(f"{entry} is there already: give --replace")
    part = into / f".{entry.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
    except OSError as error:
        raise BadInput(f"entries can't go into {into}: {error.strerror}") from None
    try:
        for folder, config in zip(folders, configs, strict=True):
            _copy_run(folder, part / RUNS / _run_name(config, part), config, given)
        copy_agent(str(configs[0]["agent"].get("_target_")), part / AGENT)
        _seal(part, label, given)
        shutil.rmtree(entry, ignore_errors=True)
        part.rename(entry)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return entry


def _seal(part: Path, label: str, given: Submission) -> None:
    submitted = {"by": given.by, "note": given.note, "version": schedcp_gym.__version__}
    try:
        refusals = [str(one) for one in look_over(part)]
        if not refusals:
            seal(part, submitted)
            refusals = [str(one) for one in audit(part)[0]]
    except FileNotFoundError as error:
        refusals = [f"there is no {Path(error.filename).relative_to(part)}"]
    except UNREADABLE as error:
        refusals = [str(error).replace(f"{part}: ", "")]
    if refusals:
        more = [f"and {len(refusals) - TOLD} more"] if len(refusals) > TOLD else []
        raise BadInput("\n  ".join([f"{label} is no entry yet:", *refusals[:TOLD], *more]))


def entry_name(label: str, configs: Sequence[dict[str, Any]], given: Submission) -> str:
    """An entry's folder: agent, model, and suite or workloads."""
    first = configs[0]
    suite = None if given.without_suite else first["run"].get("suite")
    workloads = sorted({str(config["workload"]["name"]) for config in configs})
    what = suite or "-".join([*(workloads if len(workloads) <= 2 else ["several"]), first["scale"]])
    return re.sub(r"[^A-Za-z0-9.-]+", "_", f"{label} {what}").strip("_")


def _run_name(config: dict[str, Any], part: Path) -> str:
    name = f"{config['workload']['name']}_s{config['seed']}"
    same = len(list((part / RUNS).glob(f"{name}*"))) if (part / RUNS).is_dir() else 0
    return f"{name}_{same + 1}" if same else name


def _copy_run(folder: Path, target: Path, config: dict[str, Any], given: Submission) -> None:
    target.mkdir(parents=True)
    for name in (*FILES, *([TRANSCRIPT] if given.transcripts else [])):
        if (folder / name).is_file():
            (target / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(folder / name, target / name)
    for source in sorted((folder / "sources").glob("*.bpf.c")):
        (target / "sources").mkdir(exist_ok=True)
        shutil.copyfile(source, target / "sources" / source.name)
    if given.without_suite and config["run"].get("suite"):
        config["run"]["suite"] = None
        (target / CONFIG).write_text(yaml.safe_dump(config, sort_keys=False))


def copy_agent(target: str, into: Path) -> None:
    """Copies an agent's code: its file, or its package with prompts.

    Raises:
        SchedcpError: The class is nowhere.
    """
    module = target.rpartition(".")[0]
    if target.startswith(PACKAGE):  # all of the agent's package, wherever in it the class is
        module = ".".join(target.split(".")[: PACKAGE.count(".") + 1])
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        found = None
    if found is None or found.origin is None:
        raise SchedcpError(f"the agent's code is not there: {target}")
    origin = Path(found.origin)
    if origin.name != "__init__.py":
        into.mkdir()
        shutil.copyfile(origin, into / origin.name)
        return
    for path in sorted(origin.parent.rglob("*")):
        if path.suffix in CODE and path.is_file():
            copy = into / path.relative_to(origin.parent.parent)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
