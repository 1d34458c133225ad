"""A run in an entry, as it is claimed: read, and not believed."""

import functools
from pathlib import Path
from typing import Any

import yaml

from schedcp_gym.lab import catalogue
from schedcp_gym.llm.lines import read_lines
from schedcp_gym.run.heldout import variant_workloads
from schedcp_gym.run.settings import Settings, read_settings
from schedcp_gym.spec import EEVDF, Objective, Policy, Trial, Workload

Entry = dict[str, Any]
RECORD, CONFIG, SUMMARY, BEST, TOOLS = "record.jsonl", "config.yaml", "summary.json", "best.json", "tools.jsonl"


class ClaimedRun:
    """The files of a run in an entry; ``where`` is its folder's path in the entry, as refusals name it."""

    def __init__(self, folder: Path, where: str) -> None:
        """Reads them.

        Raises:
            SchedcpError: A file is damaged, or a value in it is not allowed.
            OSError: A file is not there.
            ValueError: A file is not what it should be; also KeyError, TypeError and AttributeError.
        """
        self.folder = folder
        self.where = where
        self.config: dict[str, Any] = yaml.safe_load((folder / CONFIG).read_text())
        self.settings: Settings = read_settings(self.config)
        self.agent: str = str(self.config["run"]["agent"])
        self.target: str = str(self.config["agent"]["_target_"])
        self.suite: str | None = self.config["run"].get("suite")
        self.entries: list[Entry] = read_lines(folder / RECORD)
        self.workload: Workload = catalogue.load_workload(self.settings.workload.name)
        self.variants = {one.name: one for one in variant_workloads(self.workload, self.settings.heldout)}
        self.sources = {path.name.removesuffix(".bpf.c"): path for path in (folder / "sources").glob("*.bpf.c")}

    @functools.cached_property
    def objective(self) -> Objective:
        """What counted as better."""
        return catalogue.find_objective(self.workload, self.settings.objective)

    @property
    def lines(self) -> list[tuple[str, Entry]]:
        """Entries of measurements, with how a refusal names each."""
        named = [(f"{self.where}/{RECORD} line {number}", one) for number, one in enumerate(self.entries, 1)]
        return [(name, one) for name, one in named if one["kind"] != "note"]

    def file(self, name: str) -> str:
        """How a refusal names a file."""
        return f"{self.where}/{name}"

    def workload_of(self, entry: Entry) -> Workload:
        """The workload that an entry says it was measured on.

        Raises:
            KeyError: The run has no such workload.
        """
        return {self.workload.name: self.workload, **self.variants}[entry["workload"]]

    def policy_of(self, entry: Entry) -> Policy:
        """The policy that an entry says was measured.

        Raises:
            KeyError: Its source is not there.
        """
        sha256 = entry["source_sha256"]
        if not sha256:
            return Policy(EEVDF)
        return Policy(entry["policy"], read_source(self.sources[sha256]), tuple(entry["tunables"].items()))

    def trial_of(self, entry: Entry) -> Trial:
        """The trial that an entry says was measured.

        Raises:
            KeyError: Its source or its workload is not there.
        """
        settings = self.settings
        policy, workload = self.policy_of(entry), self.workload_of(entry)
        return Trial(policy, workload, settings.machine, settings.scale, entry["workload_seed"])


def read_source(path: Path) -> str:
    """A policy's source, its line ends as they are: it has a digest."""
    return path.read_bytes().decode()


def is_trial(entry: Entry) -> bool:
    """Whether an entry is of something that was run: an action that stands for no policy is not."""
    return bool(entry["measurement"]["trial"])
