"""A run's files, read and typed: from its folder, or from an entry of the leaderboard, which holds several runs."""

import functools
import json
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import yaml

from schedcp_gym.files import parse_lines
from schedcp_gym.lab import catalogue
from schedcp_gym.llm.ledger import CallEntry, calls_of
from schedcp_gym.run.heldout import variant_workloads
from schedcp_gym.run.lines import Baseline, Call, Evaluation, Line, TrialLine, typed_calls, typed_lines
from schedcp_gym.run.packed import read_packed
from schedcp_gym.run.settings import Settings, read_settings
from schedcp_gym.spec import EEVDF, BadInput, Objective, Policy, SchedcpError, Trial, Workload

#: Files of a run's folder.
CONFIG, RECORD, SUMMARY, BEST, TOOLS = "config.yaml", "record.jsonl", "summary.json", "best.json", "tools.jsonl"
LLM = "llm"
LEDGER, TRANSCRIPT = f"{LLM}/ledger.jsonl", f"{LLM}/transcript.jsonl"
SOURCES, SOURCE = "sources", ".bpf.c"
#: Of an entry of the leaderboard: its runs, what models were asked, and beside all entries the policies' sources.
RUNS, TRANSCRIPTS, POLICIES = "runs.parquet", "transcripts.parquet", "policies"
#: Files of a run that are in an entry; transcripts are in a file of their own, which may be left out.
FILES = (CONFIG, RECORD, SUMMARY, BEST, TOOLS, LEDGER)
#: Bytes of a policy's source that are read.
LARGEST_SOURCE = 2**24
#: What a file of a run may raise when it is read.
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


class Sources(Mapping[str, str]):
    """The sources of policies in a folder, by their SHA-256; line ends are as they are."""

    def __init__(self, folder: Path) -> None:
        """Look into a folder when one is asked for."""
        self.folder = folder

    def __getitem__(self, sha256: str) -> str:
        """Return a source.

        Raises:
            KeyError: It is not there.
            SchedcpError: What is there is no plain file, or too large.
        """
        path = self.folder / f"{sha256}{SOURCE}"
        if not sha256.isalnum() or not os.path.lexists(path):
            raise KeyError(sha256)
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise SchedcpError(f"{self.folder.name}/{path.name} is no plain file")
        if found.st_size > LARGEST_SOURCE:
            raise SchedcpError(f"{self.folder.name}/{path.name} has more than {LARGEST_SOURCE} bytes")
        return path.read_bytes().decode()

    def __iter__(self) -> Iterator[str]:
        """Iterate over the digests, in order."""
        return iter(sorted(path.name.removesuffix(SOURCE) for path in self.folder.glob(f"*{SOURCE}")))

    def __len__(self) -> int:
        """Return how many there are."""
        return sum(1 for _one in self)


class RunFolder:
    """A run's files. Each is read when it is first asked for.

    Attributes:
        path: The run's folder; of a run in an entry: where it would be, ``runs/NAME`` in the entry.
        where: How messages name it.
        files: The content of each file by its path in the folder.
        sources: Its policies' sources.
    """

    def __init__(self, path: Path, files: Mapping[str, bytes], sources: Sources, where: str | None = None) -> None:
        """Take what :func:`open_run` or :func:`open_entry` has found."""
        self.path = path
        self.where = str(path) if where is None else where
        self.files = files
        self.sources = sources

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    def file(self, name: str) -> str:
        """Return how a message names a file."""
        return f"{self.where}/{name}"

    def load(self) -> Self:
        """Read all files, so that what is damaged is found here.

        Raises:
            SchedcpError: A file is damaged, or a value in it is not allowed.
            ValueError: A file is not what it should be; also OSError, KeyError, TypeError and AttributeError.
        """
        for name in ("settings", "target", "suite", "record", "tools", "calls", "workload", "variants"):
            getattr(self, name)
        return self

    @functools.cached_property
    def config(self) -> dict[str, Any]:
        """The whole configuration.

        Raises:
            BadInput: There is none.
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
        """The configuration, checked.

        Raises:
            BadInput: A value is not allowed.
        """
        return read_settings(self.config)

    @property
    def agent(self) -> str:
        """The agent's name."""
        return str(self.config["run"]["agent"])

    @property
    def target(self) -> str:
        """The agent's class."""
        return str(self.config["agent"]["_target_"])

    @property
    def suite(self) -> str | None:
        """The suite that the run is of."""
        suite: str | None = self.config["run"].get("suite")
        return suite

    @functools.cached_property
    def record(self) -> list[Line]:
        """All lines of the record."""
        return typed_lines(self._lines(RECORD), self.file(RECORD))

    @functools.cached_property
    def trials(self) -> list[tuple[str, TrialLine]]:
        """Lines of measurements, with how a message names each."""
        named = [(f"{self.file(RECORD)} line {number}", line) for number, line in enumerate(self.record, 1)]
        return [(name, line) for name, line in named if line["kind"] != "note"]

    @property
    def baselines(self) -> list[Baseline]:
        """EEVDF's lines in the search."""
        return [line for line in self.record if line["kind"] == "baseline"]

    @property
    def evaluations(self) -> list[Evaluation]:
        """Lines of evaluated policies, in order."""
        return [line for line in self.record if line["kind"] == "evaluation"]

    @functools.cached_property
    def tools(self) -> list[Call]:
        """The audit log of the run's tools."""
        return typed_calls(self._lines(TOOLS), self.file(TOOLS))

    @functools.cached_property
    def calls(self) -> list[CallEntry]:
        """Calls of the language model; those that never ended at the most they can have used."""
        return calls_of(self._lines(LEDGER))

    @functools.cached_property
    def transcript(self) -> list[dict[str, Any]] | None:
        """What models were asked and answered, as it is; None if that is not there."""
        return self._lines(TRANSCRIPT) if TRANSCRIPT in self.files else None

    @functools.cached_property
    def summary(self) -> dict[str, Any] | None:
        """How the search went; None before it has ended."""
        return self._json(SUMMARY)

    @functools.cached_property
    def best(self) -> dict[str, Any] | None:
        """The best policy, and what the test on held-out seeds gave; None if none ran, or the run has not ended."""
        return self._json(BEST)

    @functools.cached_property
    def workload(self) -> Workload:
        """What the run is on."""
        return catalogue.load_workload(self.settings.workload.name)

    @functools.cached_property
    def variants(self) -> dict[str, Workload]:
        """Held-out variants of the workload, by name."""
        return {one.name: one for one in variant_workloads(self.workload, self.settings.heldout)}

    @functools.cached_property
    def objective(self) -> Objective:
        """What counted as better."""
        return catalogue.find_objective(self.workload, self.settings.objective)

    def workload_of(self, line: TrialLine) -> Workload:
        """Return the workload that a line says it was measured on.

        Raises:
            KeyError: The run has no such workload.
        """
        return {self.workload.name: self.workload, **self.variants}[line["workload"]]

    def policy_of(self, line: TrialLine) -> Policy:
        """Return the policy that a line says was measured.

        Raises:
            KeyError: Its source is not there.
        """
        sha256 = line["source_sha256"]
        if not sha256:
            return Policy(EEVDF)
        return Policy(line["policy"], self.sources[sha256], tuple(line["tunables"].items()))

    def trial_of(self, line: TrialLine) -> Trial:
        """Return the trial that a line says was measured.

        Raises:
            KeyError: Its source or its workload is not there.
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
    """The files of a folder, read when they are asked for."""

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
    """Return the run in a folder; also while it is under way: what is read once is not read again."""
    return RunFolder(folder, _Files(folder), Sources(folder / SOURCES))


def open_entry(entry: Path, where: Path | None = None) -> list[RunFolder]:
    """Return the runs in an entry of the leaderboard, in order of name.

    Args:
        entry: The entry's folder; the policies are in a folder beside it.
        where: How messages name the entry; by default as it is given here.

    Raises:
        OSError: There are no runs in it.
        ValueError: They are damaged.
    """
    packed, sources = read_packed(entry / RUNS), Sources(entry.resolve().parent / POLICIES)
    transcripts = read_packed(entry / TRANSCRIPTS) if (entry / TRANSCRIPTS).exists() else {}
    if strange := [f"{run}/{name}" for run, files in packed.items() for name in files if name not in FILES]:
        raise ValueError(f"{RUNS} has what is no file of a run: {strange[0]}")
    if strange := [run for run, files in transcripts.items() if run not in packed or set(files) != {TRANSCRIPT}]:
        raise ValueError(f"{TRANSCRIPTS} has what is no transcript of a run: {strange[0]}")
    named = entry if where is None else where
    return [
        RunFolder(
            entry / "runs" / name, {**files, **transcripts.get(name, {})}, sources, (named / "runs" / name).as_posix()
        )
        for name, files in sorted(packed.items())
    ]


def find_runs(path: Path) -> list[RunFolder]:
    """Return the runs in a folder and in the entries that are in it, or the run that it is itself.

    Raises:
        BadInput: There is none.
        SchedcpError: An entry is damaged.
    """
    runs = [open_run(found.parent) for found in path.rglob(RECORD) if (found.parent / CONFIG).is_file()]
    for found in path.rglob(RUNS):
        try:
            runs += open_entry(found.parent)
        except (OSError, ValueError) as error:
            raise SchedcpError(f"{found} is damaged: {error}") from None
    if not runs:
        raise BadInput(f"there is no run in {path}: give a run's folder, or one that holds some, like runs/")
    return sorted(runs, key=lambda run: run.path)
