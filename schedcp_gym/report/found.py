"""What a run found, read from its folder."""

import functools
import math
import re
from dataclasses import dataclass

from schedcp_gym.envs.render import objective_text, tunables_text
from schedcp_gym.leaderboard.command import command
from schedcp_gym.report.origin import Origin, origin_of
from schedcp_gym.run.costs import RunCosts, read_costs
from schedcp_gym.run.course import INTERRUPTED
from schedcp_gym.run.folder import UNREADABLE, RunFolder
from schedcp_gym.run.heldout import Interval, interval
from schedcp_gym.run.lines import Chosen, Evaluation, HeldOutTrial
from schedcp_gym.run.scores import by_seed, label_of
from schedcp_gym.run.summary import best_of
from schedcp_gym.spec import Policy, SchedcpError

_PERCENTILE = re.compile(r"^p(\d{2})(\d*)_(\w+)_us$")


@dataclass(frozen=True)
class MetricRow:
    """A metric on held-out seeds: means, and the improvement with its interval (logs)."""

    name: str
    unit: str
    eevdf: float
    best: float
    gained: Interval
    counts: bool


@dataclass(frozen=True)
class Percentiles:
    """Percentiles of one latency under EEVDF and the best: (share of all that are no later, us)."""

    name: str
    eevdf: tuple[tuple[float, float], ...]
    best: tuple[tuple[float, float], ...]


class Found:
    """A run, as a page tells of it."""

    def __init__(self, run: RunFolder) -> None:
        """Read it.

        Raises:
            SchedcpError: A file is not there, or damaged.
        """
        try:
            self.run = run.load()
            self.costs: RunCosts = read_costs(run)
            self.best: Chosen | None = best_of(run.record)
            self.ended_by: str = run.summary["ended_by"] if run.summary else INTERRUPTED
        except UNREADABLE as error:
            raise SchedcpError(f"{run.where}: a file of this run is missing or damaged: {error}") from None
        self.name = run.path.resolve().name

    @property
    def agent(self) -> str:
        """With its model, where it asked one."""
        return label_of(self.costs)

    @property
    def evaluations(self) -> list[Evaluation]:
        """In order."""
        return self.run.evaluations

    @property
    def task(self) -> str:
        """Workload, scale and machine."""
        settings, machine = self.run.settings, self.run.settings.machine
        parts = [settings.workload.name, f"{settings.scale.value} scale"]
        return ", ".join([*parts, machine.describe(), f"seed {settings.seed}"])

    @property
    def objective(self) -> str:
        """In words."""
        return objective_text(self.run.workload, self.run.objective)

    @property
    def policy(self) -> str:
        """The best one, with what was set on it."""
        if self.best is None:
            return "none"
        return f"{self.best['policy']} {tunables_text(list(self.best['tunables'].items()))}".strip()

    @functools.cached_property
    def source(self) -> Policy | None:
        """The best one with its source; None if none ran, or the kernel's own is best.

        Raises:
            SchedcpError: Its source is not in the run's folder.
        """
        if self.best is None or not self.best["source_sha256"]:
            return None
        try:
            return self.run.policy_of(self.best)
        except (KeyError, OSError):
            raise SchedcpError(f"{self.run.where}: the source of {self.best['policy']} is not in sources/") from None

    @functools.cached_property
    def origin(self) -> Origin | None:
        """What its source was made from."""
        return origin_of(self.run, self.source) if self.source else None

    @property
    def command(self) -> str:
        """That repeats the run."""
        return command([self.run], asks_model=bool(self.costs.calls))

    def pairs(self, workload: str | None = None) -> list[tuple[HeldOutTrial, HeldOutTrial]]:
        """EEVDF's and the best policy's entry on each held-out seed of a workload; of the run's own by default."""
        found = by_seed(self.run.record, workload or self.run.workload.name)
        return [(entries[0], entries[-1]) for entries in found.values() if len(entries) > 1]

    def score(self, workload: str | None = None) -> Interval | None:
        """The held-out reward, and its interval; None before the run has ended."""
        pairs = self.pairs(workload)
        return interval([best["reward"] for _eevdf, best in pairs], self.confidence) if len(pairs) > 1 else None

    @property
    def variants(self) -> list[tuple[str, Interval]]:
        """The score on each held-out variant of the workload."""
        scores = [(name, self.score(name)) for name in self.run.variants]
        return [(name, score) for name, score in scores if score]

    @functools.cached_property
    def metrics(self) -> list[MetricRow]:
        """On held-out seeds, over the pairs in which the policy ran to its end."""
        done = [pair for pair in self.pairs() if pair[1]["outcome"] == "ok"]
        if len(done) < 2:
            return []
        rows = []
        for name, metric in self.run.workload.metrics.items():
            if name == self.run.objective.bound:
                continue  # what is possible is not what is to be improved
            eevdf, best = (_mean([pair[side]["measurement"]["metrics"][name] for pair in done]) for side in (0, 1))
            gained = interval([best["reward_parts"][name] for _eevdf, best in done], self.confidence)
            rows.append(MetricRow(name, metric.unit, eevdf, best, gained, name in self.run.objective.weights))
        return rows

    @property
    def percentiles(self) -> list[Percentiles]:
        """Of each latency that the workload tells more than one percentile of, on held-out seeds."""
        groups: dict[str, list[tuple[float, MetricRow]]] = {}
        for row in self.metrics:
            if match := _PERCENTILE.match(row.name):
                groups.setdefault(match[3], []).append((float(f"0.{match[1]}{match[2]}"), row))
        return [
            Percentiles(
                name,
                tuple((share, row.eevdf) for share, row in sorted(rows, key=lambda each: each[0])),
                tuple((share, row.best) for share, row in sorted(rows, key=lambda each: each[0])),
            )
            for name, rows in sorted(groups.items())
            if len(rows) > 1
        ]

    @property
    def verdict(self) -> str:
        """How the held-out score stands to EEVDF's, by its interval; empty without one."""
        score = self.score()
        if score is None:
            return ""
        return "better than" if score.low > 0 else "worse than" if score.high < 0 else "not shown to differ from"

    @property
    def confidence(self) -> float:
        """Of the intervals."""
        return self.run.settings.heldout.confidence


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)
