"""Read the results of a run from its folder, for a page."""

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
    """A metric on held-out seeds: the means, and the improvement with its interval, both as logs of the ratio."""

    name: str
    unit: str
    eevdf: float
    best: float
    gained: Interval
    counts: bool


@dataclass(frozen=True)
class Percentiles:
    """Percentiles of a latency under EEVDF and under the best policy, as pairs of share (0 to 1) and microseconds."""

    name: str
    eevdf: tuple[tuple[float, float], ...]
    best: tuple[tuple[float, float], ...]


class Found:
    """The results of a run, as a page shows them."""

    def __init__(self, run: RunFolder) -> None:
        """Read a run.

        Raises:
            SchedcpError: A file is missing or damaged.
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
        """Return the agent's name, with its model if it asked one."""
        return label_of(self.costs)

    @property
    def evaluations(self) -> list[Evaluation]:
        """Return all evaluations in order."""
        return self.run.evaluations

    @property
    def task(self) -> str:
        """Return workload, scale, machine and seed as a text."""
        settings, machine = self.run.settings, self.run.settings.machine
        parts = [settings.workload.name, f"{settings.scale.value} scale"]
        return ", ".join([*parts, machine.describe(), f"seed {settings.seed}"])

    @property
    def objective(self) -> str:
        """Return the objective as a text."""
        return objective_text(self.run.workload, self.run.objective)

    @property
    def policy(self) -> str:
        """Return the best policy's name and the values of its tunables as a text."""
        if self.best is None:
            return "none"
        return f"{self.best['policy']} {tunables_text(list(self.best['tunables'].items()))}".strip()

    @functools.cached_property
    def source(self) -> Policy | None:
        """Return the best policy with its source; None if no policy ran to its end, or if EEVDF is the best.

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
        """Return the policy from which the best one was made; None without a source."""
        return origin_of(self.run, self.source) if self.source else None

    @property
    def command(self) -> str:
        """Return the command that repeats the run."""
        return command([self.run], asks_model=bool(self.costs.calls))

    def pairs(self, workload: str | None = None) -> list[tuple[HeldOutTrial, HeldOutTrial]]:
        """Return the lines of EEVDF and of the best policy on each held-out seed of a workload (default: the run's)."""
        found = by_seed(self.run.record, workload or self.run.workload.name)
        return [(entries[0], entries[-1]) for entries in found.values() if len(entries) > 1]

    def score(self, workload: str | None = None) -> Interval | None:
        """Return the held-out reward with its interval; None before the run has ended."""
        pairs = self.pairs(workload)
        return interval([best["reward"] for _eevdf, best in pairs], self.confidence) if len(pairs) > 1 else None

    @property
    def variants(self) -> list[tuple[str, Interval]]:
        """Return the score on each held-out variant of the workload."""
        scores = [(name, self.score(name)) for name in self.run.variants]
        return [(name, score) for name, score in scores if score]

    @functools.cached_property
    def metrics(self) -> list[MetricRow]:
        """Return the metrics on held-out seeds, over the pairs in which the policy ran to its end."""
        done = [pair for pair in self.pairs() if pair[1]["outcome"] == "ok"]
        if len(done) < 2:
            return []
        rows = []
        for name, metric in self.run.workload.metrics.items():
            if name == self.run.objective.bound:
                continue  # the bound says what is possible; a policy does not improve it
            eevdf, best = (_mean([pair[side]["measurement"]["metrics"][name] for pair in done]) for side in (0, 1))
            gained = interval([best["reward_parts"][name] for _eevdf, best in done], self.confidence)
            rows.append(MetricRow(name, metric.unit, eevdf, best, gained, name in self.run.objective.weights))
        return rows

    @property
    def percentiles(self) -> list[Percentiles]:
        """Return the percentiles of each latency that has more than one, as means over held-out seeds."""
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
        """Return in words how the held-out score compares with EEVDF, by its interval; empty without a score."""
        score = self.score()
        if score is None:
            return ""
        return "better than" if score.low > 0 else "worse than" if score.high < 0 else "not shown to differ from"

    @property
    def confidence(self) -> float:
        """Return the confidence of the intervals, from 0 to 1."""
        return self.run.settings.heldout.confidence


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)
