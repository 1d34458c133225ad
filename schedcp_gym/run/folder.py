"""Read a run's files with types: from its folder, or from an entry of the leaderboard, which has several runs."""

import functools
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import yaml

from schedcp_gym.files import parse_lines
from schedcp_gym.lab import catalogue
from schedcp_gym.llm.ledger import CallEntry, calls_of
from schedcp_gym.run.heldout import variant_workloads
from schedcp_gym.run.lines import AuditedCall, Baseline, Evaluation, Line, TrialLine, typed_calls, typed_lines
from schedcp_gym.run.packed import read_packed
from schedcp_gym.run.settings import Settings, read_settings
from schedcp_gym.spec import EEVDF, BadInput, Objective, Policy, SchedcpError, Trial, Workload

#: Files of a run's folder.
CONFIG, RECORD, SUMMARY, BEST, TOOLS = "config.yaml", "record.jsonl", "summary.json", "best.json", "tools.jsonl"
LLM = "llm"
LEDGER, TRANSCRIPT = f"{LLM}/ledger.jsonl", f"{LLM}/transcript.jsonl"
SOURCES, SOURCE = "sources", ".bpf.c"
#: Files of a leaderboard entry: runs and transcripts; and the folder beside all entries with the policies' sources.
RUNS, TRANSCRIPTS, POLICIES = "runs.parquet", "transcripts.parquet", "policies"
#: Files of a run that an entry has. Transcripts are in a separate file, which may be omitted.
FILES = (CONFIG, RECORD, SUMMARY, BEST, TOOLS, LEDGER)
#: Limit for a policy's source in bytes.
LARGEST_SOURCE = 2**24
#: Errors that reading a damaged file of a run can raise.
UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    RecursionError,
    yaml.YAMLError,
    SchedcpError,
)


class PolicySources(Mapping[str, str]):
    """Sources of the policies in a folder, by their SHA-256. Line ends are not changed."""

    def __init__(self, folder: Path) -> None:
        """Name the folder. A source is read when it is requested."""
        self.folder = folder

    def __getitem__(self, sha256: str) -> str:
        """Return a source.

        Raises:
            KeyError: It does not exist.
            SchedcpError: It is not a regular file, or too large.
        """
        path = self.folder / f"{sha256}{SOURCE}"
        if not sha256.isalnum() or not os.path.lexists(path):
            raise KeyError(sha256)
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise SchedcpError(f"{self.folder.name}/{path.name} is not a regular file")
        if found.st_size > LARGEST_SOURCE:
            raise SchedcpError(f"{self.folder.name}/{path.name} has more than {LARGEST_SOURCE} bytes")
        return path.read_bytes().decode()

    def __iter__(self) -> Iterator[str]:
        """Iterate over the digests, in order."""
        return iter(sorted(path.name.removesuffix(SOURCE) for path in self.folder.glob(f"*{SOURCE}")))

    def __len__(self) -> int:
        """Return the number of sources."""
        return sum(1 for _one in self)


class RunFolder:
    """Files of a run. Each is read when it is first requested.

    Attributes:
        path: The run's folder; for a run in an entry ``runs/NAME`` in the entry, which does not exist.
        where: Name of the run in messages.
        files: Content of each file by its path in the folder.
        sources: Sources of its policies.
    """

    def __init__(
        self, path: Path, files: Mapping[str, bytes], sources: PolicySources, where: str | None = None
    ) -> None:
        """Use :func:`open_run` or :func:`open_entry` instead."""
        self.path = path
        self.where = str(path) if where is None else where
        self.files = files
        self.sources = sources

    @property
    def name(self) -> str:
        """Return the folder's name."""
        return self.path.name

    def file(self, name: str) -> str:
        """Return the name of a file in messages."""
        return f"{self.where}/{name}"

    def load(self) -> Self:
        """Read all files, so that damaged ones raise an error here.

        Raises:
            SchedcpError: A file is damaged, or a value in it is not allowed.
            ValueError: A file has wrong contents; also OSError, KeyError, TypeError and AttributeError.
        """
        for name in ("settings", "target", "suite", "record", "tools", "calls", "workload", "variants"):
            getattr(self, name)
        return self

    @functools.cached_property
    def config(self) -> dict[str, Any]:
        """Return the whole configuration.

        Raises:
            BadInput: The folder has none.
            SchedcpError: It is damaged.
        """
        if CONFIG not in self.files:
            raise BadInput(f"{self.where} is not a run's folder (no {CONFIG} in it): give folders like runs/NAME")
        try:
            config = yaml.safe_load(self.files[CONFIG].decode())
            if "agent" in config["run"] and "name" in config["workload"]:
                return dict(config)
        except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError):
            pass
        raise SchedcpError(f"{self.file(CONFIG)} is damaged")

    @functools.cached_property
    def settings(self) -> Settings:
        """Return the checked configuration.

        Raises:
            BadInput: A value is not allowed.
        """
        return read_settings(self.config)

    @property
    def agent(self) -> str:
        """Return the agent's name."""
        return str(self.config["run"]["agent"])

    @property
    def target(self) -> str:
        """Return the agent's class."""
        return str(self.config["agent"]["_target_"])

    @property
    def suite(self) -> str | None:
        """Return the suite that the run belongs to; None if it belongs to none."""
        suite: str | None = self.config["run"].get("suite")
        return suite

    @functools.cached_property
    def record(self) -> list[Line]:
        """Return all lines of the record."""
        return typed_lines(self._lines(RECORD), self.file(RECORD))

    @functools.cached_property
    def trials(self) -> list[tuple[str, TrialLine]]:
        """Return the lines of measurements, each with its name in messages."""
        named = [(f"{self.file(RECORD)} line {number}", line) for number, line in enumerate(self.record, 1)]
        return [(name, line) for name, line in named if line["kind"] != "note"]

    @property
    def baselines(self) -> list[Baseline]:
        """Return EEVDF's lines in the search."""
        return [line for line in self.record if line["kind"] == "baseline"]

    @property
    def evaluations(self) -> list[Evaluation]:
        """Return the lines of evaluated policies, in order."""
        return [line for line in self.record if line["kind"] == "evaluation"]

    @functools.cached_property
    def tools(self) -> list[AuditedCall]:
        """Return the audit log of the run's tools."""
        return typed_calls(self._lines(TOOLS), self.file(TOOLS))

    @functools.cached_property
    def calls(self) -> list[CallEntry]:
        """Return the calls of the language model. An interrupted call has the most that it can have cost."""
        return calls_of(self._lines(LEDGER))

    @functools.cached_property
    def transcript(self) -> list[dict[str, Any]] | None:
        """Return the prompts and answers of language models; None without such a file."""
        return self._lines(TRANSCRIPT) if TRANSCRIPT in self.files else None

    @functools.cached_property
    def summary(self) -> dict[str, Any] | None:
        """Return the contents of ``summary.json``; None before the search has ended."""
        return self._json(SUMMARY)

    @functools.cached_property
    def best(self) -> dict[str, Any] | None:
        """Return the contents of ``best.json``; None if no policy ran to its end, or the run has not ended."""
        return self._json(BEST)

    @functools.cached_property
    def workload(self) -> Workload:
        """Return the workload."""
        return catalogue.load_workload(self.settings.workload.name)

    @functools.cached_property
    def variants(self) -> dict[str, Workload]:
        """Return the held-out variants of the workload, by name."""
        return {one.name: one for one in variant_workloads(self.workload, self.settings.heldout)}

    @functools.cached_property
    def objective(self) -> Objective:
        """Return the objective."""
        return catalogue.find_objective(self.workload, self.settings.objective)

    def workload_of(self, line: TrialLine) -> Workload:
        """Return the workload of a line.

        Raises:
            KeyError: The run has no such workload.
        """
        return {self.workload.name: self.workload, **self.variants}[line["workload"]]

    def policy_of(self, line: TrialLine) -> Policy:
        """Return the policy of a line.

        Raises:
            KeyError: Its source is missing.
        """
        sha256 = line["source_sha256"]
        if not sha256:
            return Policy(EEVDF)
        return Policy(line["policy"], self.sources[sha256], tuple(line["tunables"].items()))

    def trial_of(self, line: TrialLine) -> Trial:
        """Return the trial of a line.

        Raises:
            KeyError: Its source or its workload is missing.
        """
        settings = self.settings
        policy, workload = self.policy_of(line), self.workload_of(line)
        return Trial(policy, workload, settings.machine, settings.scale, line["workload_seed"])

    def _lines(self, name: str) -> list[dict[str, Any]]:
        return parse_lines(self.files[name], self.file(name)) if name in self.files else []

    def _json(self, name: str) -> dict[str, Any] | None:
        if name not in self.files:
            return None
        try:
            value = json.loads(self.files[name])
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise SchedcpError(f"{self.file(name)} is damaged")
        return value


class _Files(Mapping[str, bytes]):
    """Files of a folder, which are read when they are requested."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __getitem__(self, name: str) -> bytes:
        try:
            return (self.folder / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise KeyError(name) from None

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (self.folder / name).is_file()

    def __iter__(self) -> Iterator[str]:
        return (path.relative_to(self.folder).as_posix() for path in sorted(self.folder.rglob("*")) if path.is_file())

    def __len__(self) -> int:
        return sum(1 for _one in self)


def open_run(folder: Path) -> RunFolder:
    """Return the run in a folder, which may still be running. A file that was read is not read again.

    Example:
        >>> run = open_run(Path("runs/mine"))
        >>> [line["reward"] for line in run.evaluations]  # doctest: +SKIP
    """
    return RunFolder(folder, _Files(folder), PolicySources(folder / SOURCES))


def open_entry(entry: Path, where: Path | None = None) -> list[RunFolder]:
    """Return the runs in an entry of the leaderboard, in order of name.

    Args:
        entry: The entry's folder; the policies are in a folder beside it.
        where: Name of the entry in messages; by default its path.

    Raises:
        OSError: It has no file of runs.
        ValueError: The file is damaged.
    """
    packed, sources = read_packed(entry / RUNS), PolicySources(entry.resolve().parent / POLICIES)
    transcripts = read_packed(entry / TRANSCRIPTS) if (entry / TRANSCRIPTS).exists() else {}
    if strange := [f"{run}/{name}" for run, files in packed.items() for name in files if name not in FILES]:
        raise ValueError(f"{RUNS} has a file that does not belong to a run: {strange[0]}")
    if strange := [run for run, files in transcripts.items() if run not in packed or set(files) != {TRANSCRIPT}]:
        raise ValueError(f"{TRANSCRIPTS} has a file that is not the transcript of a run: {strange[0]}")
    named = entry if where is None else where
    return [
        RunFolder(
            entry / "runs" / name, {**files, **transcripts.get(name, {})}, sources, (named / "runs" / name).as_posix()
        )
        for name, files in sorted(packed.items())
    ]


def find_runs(path: Path) -> list[RunFolder]:
    """Return the run in a folder, or all runs in its subfolders, including those in entries.

    Raises:
        BadInput: There is no run.
        SchedcpError: An entry is damaged.
    """
    runs = [open_run(found.parent) for found in path.rglob(RECORD) if (found.parent / CONFIG).is_file()]
    for found in path.rglob(RUNS):
        try:
            runs += open_entry(found.parent)
        except (OSError, ValueError) as error:
            raise SchedcpError(f"{found} is damaged: {error}") from None
    if not runs:
        raise BadInput(f"there is no run in {path}: give a run's folder, or a folder that contains runs, like runs/")
    return sorted(runs, key=lambda run: run.path)


def runs_in(paths: Iterable[Path]) -> list[RunFolder]:
    """Return the runs in several folders, each once.

    Raises:
        BadInput: A folder has no run.
        SchedcpError: An entry is damaged.
    """
    return list({run.path.resolve(): run for path in paths for run in find_runs(path)}.values())
