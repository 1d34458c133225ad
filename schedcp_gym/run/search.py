"""A run from beginning to end: search, summary, held-out test."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock
import gymnasium as gym
import yaml
from rich.console import Console

import schedcp_gym.envs  # noqa: F401 (registers the environments)
from schedcp_gym.baselines.agent import Agent, Assignment
from schedcp_gym.envs import env_id
from schedcp_gym.envs.base import Measures, SchedEnv
from schedcp_gym.envs.observation import nameable
from schedcp_gym.envs.registration import KINDS
from schedcp_gym.envs.wrappers import Budgeted, BudgetSpent, Ledger, Recorded
from schedcp_gym.lab import Lab, catalogue
from schedcp_gym.run.heldout import Pair, compare, interval
from schedcp_gym.run.record import Record, RecordedLab, write_whole
from schedcp_gym.run.settings import Settings
from schedcp_gym.run.show import Display, result_table
from schedcp_gym.run.summary import best_of, write_best, write_summary
from schedcp_gym.spec import BadInput, Measurement, Policy

#: Settings that may differ when a run goes on in its folder: they don't change what is measured first.
MAY_CHANGE = ("budget", "heldout", "workers", "cache", "ray", "run")
#: Columns of the table where there is no terminal to ask.
PLAIN_WIDTH = 120


class Run:
    """One agent on one task with one seed, in a folder of its own."""

    def __init__(self, settings: Settings, agent: Agent, agent_name: str, folder: Path) -> None:
        """Opens the folder's record; nothing is built or booted yet.

        Raises:
            SchedcpError: A name does not exist, or the record is damaged.
        """
        self.settings = settings
        self.agent = agent
        self.title = f"{agent_name} on {settings.workload.name}"
        self.folder = folder
        self.record = Record(folder)
        self.ledger = Ledger(settings.budget)
        self.display = Display(self.title, self.ledger)
        ray = settings.ray if settings.ray.address else None
        lab = Lab(workers=settings.workers, cache=settings.cache, ray=ray, report=self.display.image)
        self.lab: Measures = RecordedLab(lab, self.record.old)
        self.task = self._make_task()

    def carry_out(self) -> None:
        """Searches, sums up, tests the best policy on held-out seeds, and prints the table.

        Raises:
            KeyboardInterrupt: The run was interrupted; record and summary hold what was measured.
            SchedcpError: Something is missing, or the host failed; the same holds.
        """
        best, pairs = None, []
        try:
            with self.display:
                self._search()
                best = best_of(self.record.evaluations)
                if best:
                    pairs = self._hold_out(best)
        finally:
            self._sum_up(pairs)
        console = Console(highlight=False)
        if not console.is_terminal:
            console.width = PLAIN_WIDTH
        if best is None:
            console.print(f"{self.title}: no policy ran to its end, see {self.record.path}", soft_wrap=True)
        else:
            evaluations = len(self.record.evaluations)
            console.print(result_table(self.task, self.settings, self.title, best, evaluations, pairs))
        console.print(f"record, summary and best policy: {self.folder}", soft_wrap=True)

    def _make_task(self) -> SchedEnv:
        settings = self.settings
        catalogue.load_workload(settings.workload.name)  # an unknown name is better told before Gymnasium sees it
        if self.agent.action not in KINDS:
            raise catalogue.unknown("kind of action", self.agent.action, KINDS)
        task = gym.make(
            env_id(settings.workload.name, self.agent.action),
            disable_env_checker=True,
            scale=settings.scale.value,
            max_steps=settings.episode_steps,
            objective=settings.objective,
            lab=lambda: self.lab,
            **dataclasses.asdict(settings.machine),
        ).unwrapped
        assert isinstance(task, SchedEnv)
        return task

    def _search(self) -> None:
        env = Budgeted(Recorded(self.task, self._measured), self.ledger)

        def note(fields: dict[str, Any]) -> None:
            self.record.add({"kind": "note", **fields})

        with contextlib.suppress(BudgetSpent):
            self.agent.run(Assignment(env, self.settings.seed, self.ledger, note))

    def _measured(self, entry: dict[str, Any], policy: Policy) -> None:
        self.record.add(entry, policy)
        if entry["kind"] == "evaluation":
            self.display.evaluation(entry)

    def _hold_out(self, best: dict[str, Any]) -> list[Pair]:
        policy = Policy(
            best["policy"],
            self.record.policies[best["source_sha256"]].source,
            tuple(best["tunables"].items()),
        )
        done = 0

        def tell(entry: dict[str, Any], measured: Policy) -> None:
            nonlocal done
            done += 1
            self.record.add(entry, measured)
            self.display.heldout(done, 2 * self.settings.heldout.seeds)

        names = self._names_seen(best["workload_seed"])
        return compare(self.task, self.lab, policy, names, self.settings.heldout, tell)

    def _names_seen(self, workload_seed: int) -> list[str]:
        """Process names in the search's baseline on a workload seed, in order of CPU time."""
        for entry in self.record.entries:
            if entry["kind"] == "baseline" and entry["workload_seed"] == workload_seed:
                return nameable(Measurement(**entry["measurement"]))
        return []

    def _sum_up(self, pairs: list[Pair]) -> None:
        if not self.record.evaluations:
            return
        write_summary(self.record)
        best = best_of(self.record.evaluations)
        if best:
            confidence = self.settings.heldout.confidence
            gained = interval([pair.reward for pair in pairs], confidence) if pairs else None
            write_best(self.folder, best, self.settings.seed, pairs, gained)


@contextlib.contextmanager
def claimed(folder: Path, config: Mapping[str, Any]) -> Iterator[None]:
    """Claims a run's folder: writes ``config.yaml``, or checks that it holds the same run.

    Raises:
        BadInput: The folder belongs to another run, or one is under way in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise BadInput(f"a run is under way in {folder}; wait for it, or use another run.dir") from None
    try:
        path = folder / "config.yaml"
        if path.exists():
            _check_same(path, config)
        elif (folder / "record.jsonl").exists():
            raise BadInput(f"{folder} has a record but no config.yaml; use another run.dir")
        write_whole(path, yaml.safe_dump(dict(config), sort_keys=False))
        yield
    finally:
        lock.release()


def _check_same(path: Path, config: Mapping[str, Any]) -> None:
    try:
        before = _flat(yaml.safe_load(path.read_text()))
    except (yaml.YAMLError, AttributeError):
        raise BadInput(f"{path} is damaged; use another run.dir") from None
    now = _flat(config)
    for key in sorted(before.keys() | now.keys()):
        if key.split(".")[0] not in MAY_CHANGE and before.get(key) != now.get(key):
            raise BadInput(
                f"{path.parent} holds a run with {key}={before.get(key)}, not {now.get(key)}; "
                "give the same settings to go on with it, or another run.dir"
            )


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in config.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found
