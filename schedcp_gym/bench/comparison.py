"""Agents side by side: what the scores of their runs on several tasks come to, what they cost, and the A/A control.

The figures are those of Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice"
(NeurIPS 2021). A score is a log improvement ratio: 0 is EEVDF.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from schedcp_gym.bench import statistics
from schedcp_gym.bench.statistics import Estimate
from schedcp_gym.spec import REWARD_LIMIT

#: Improvement ratios at which the performance profile is told in tables.
RATIOS = (0.95, 1.0, 1.05, 1.1, 1.25, 1.5, 2.0, 4.0)
#: Points of a drawn profile and of a curve.
POINTS = 61
#: What a search takes: a learning curve for each.
SPENT = ("evaluations", "virtual_s", "tokens", "usd")


@dataclass(frozen=True)
class Step:
    """The state of a search after an evaluation.

    Attributes:
        evaluations: So many are done.
        virtual_s: Guest seconds they took, baselines included.
        best: The highest reward so far; the worst there is if no policy has run to its end.
        tokens: Of the language model, up to it; None without a model, or where the record doesn't say.
        usd: Dollars; None also where a price is not known.
    """

    evaluations: int
    virtual_s: float
    best: float
    tokens: float | None = None
    usd: float | None = None


@dataclass(frozen=True)
class Score:
    """A run's score, and what it took.

    Attributes:
        run: Its folder.
        agent: Who searched; with its model, where there is one.
        task: On what: workload, scale and machine.
        seed: Of the run.
        score: Mean reward of the chosen policy on held-out seeds.
        variant: The same on held-out variants of the workload; None without any.
        to_bound: How far the objective's first metric fell short of the known bound, as a log ratio; None without one.
        evaluations: Policies that were measured.
        virtual_s: Guest seconds of the search, tools included.
        tokens: Of the language model's prompts and answers.
        usd: Dollars; None where a price is not known.
        steps: How the search went.
    """

    run: str
    agent: str
    task: str
    seed: int
    score: float
    variant: float | None
    to_bound: float | None
    evaluations: int
    virtual_s: float
    tokens: float
    usd: float | None
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Figures:
    """An agent's runs, summed up.

    Attributes:
        agent: Whose.
        runs: How many.
        tasks: On how many tasks.
        worse: Runs that scored below EEVDF, failures included.
        iqm: Interquartile mean of the scores.
        variant_iqm: The same on held-out variants; None without any.
        above_eevdf: Probability that a run scores above EEVDF; a tie is half.
        profile: Share of runs above each of ``RATIOS``.
        gap_to_bound: Mean shortfall from the known bound, over the runs where there is one; None without any.
        gap_to_best: Mean shortfall from the best score that any of the compared runs has on the task.
        evaluations: Mean of a run's.
        virtual_s: Likewise.
        tokens: Likewise.
        usd: Likewise; None where a price is not known.
    """

    agent: str
    runs: int
    tasks: int
    worse: int
    iqm: Estimate
    variant_iqm: Estimate | None
    above_eevdf: Estimate
    profile: tuple[float, ...]
    gap_to_bound: Estimate | None
    gap_to_best: Estimate
    evaluations: float
    virtual_s: float
    tokens: float
    usd: float | None


@dataclass(frozen=True)
class Control:
    """EEVDF against itself: what a difference between equals looks like with this machine and these statistics.

    Attributes:
        pairs: How many.
        iqm: Interquartile mean of their scores: exactly 0 on the virtual clock.
        largest: The largest of them, either way.
    """

    pairs: int
    iqm: Estimate
    largest: float


@dataclass(frozen=True)
class Comparison:
    """Agents side by side.

    Attributes:
        figures: By agent, the highest interquartile mean first.
        improvement: Agent → other agent → probability that a run of the first scores above one of the other, over
            the tasks that both have; None without any.
        control: None where EEVDF was measured only once on each seed.
        scores: What it was made from.
        confidence: Of the intervals.
    """

    figures: tuple[Figures, ...]
    improvement: Mapping[str, Mapping[str, float | None]]
    control: Control | None
    scores: tuple[Score, ...]
    confidence: float

    @property
    def agents(self) -> list[str]:
        """In order of the figures."""
        return [one.agent for one in self.figures]


def compare_scores(
    scores: Sequence[Score], control: Mapping[str, Sequence[float]], *, confidence: float = 0.95
) -> Comparison:
    """Sums up and compares.

    Args:
        scores: Of all runs.
        control: Task → scores of EEVDF against EEVDF.
        confidence: Of the intervals.

    Raises:
        ValueError: There are none.
    """
    if not scores:
        raise ValueError("no scores to compare")
    best = {task: max(one.score for one in mine) for task, mine in _grouped(scores, lambda one: one.task).items()}
    by_agent = _grouped(scores, lambda one: one.agent)
    figures = [_figures(agent, mine, best, confidence) for agent, mine in by_agent.items()]
    figures.sort(key=lambda one: -one.iqm.value)
    improvement = {
        one.agent: {
            other.agent: _improvement(by_agent[one.agent], by_agent[other.agent]) for other in figures if other != one
        }
        for one in figures
    }
    return Comparison(tuple(figures), improvement, _control(control, confidence), tuple(scores), confidence)


def profiles(comparison: Comparison) -> list[dict[str, Any]]:
    """Each agent's performance profile as rows: ``agent``, ``ratio``, ``share`` of runs above it."""
    ends = [one.score for one in comparison.scores]
    low, high = min(-0.1, *ends) - 0.02, max(0.1, *ends) + 0.02
    thresholds = np.linspace(low, high, POINTS)
    rows = []
    for agent, mine in _grouped(comparison.scores, lambda one: one.agent).items():
        shares = statistics.performance_profile(_by_task(mine, lambda one: one.score), thresholds.tolist())
        rows += [
            {"agent": agent, "ratio": math.exp(at), "share": float(share)}
            for at, share in zip(thresholds, shares, strict=True)
        ]
    return rows


def curves(comparison: Comparison) -> list[dict[str, Any]]:
    """How searches went, as rows: the interquartile mean of the best reward so far, over what it took (``SPENT``).

    It is what the search saw, not the score: the best of several on the search's own seed. A search that has ended
    keeps its best; a curve begins where all searches have an evaluation. Tokens and dollars are of agents that spent
    some, in all of their runs.
    """
    rows = []
    for agent, mine in _grouped(comparison.scores, lambda one: one.agent).items():
        searches = [one for one in mine if one.steps]
        for by in SPENT:
            spent = [[getattr(step, by) for step in one.steps] for one in searches]
            if not spent or any(None in one for one in spent) or not (last := max(one[-1] for one in spent)):
                continue
            # Before all have measured something, the worst there is would be most of the picture.
            first = max(one[0] for one in spent)
            grid = range(1, int(last) + 1) if by == "evaluations" else np.linspace(first, last, POINTS)
            for at in grid:
                reached = _by_task(searches, functools.partial(_best_at, by, float(at)))
                iqm = statistics.interquartile_mean(reached)
                rows.append({"agent": agent, "by": by, "at": float(at), "best_ratio": math.exp(iqm)})
    return rows


def _best_at(by: str, at: float, score: Score) -> float:
    return max((step.best for step in score.steps if getattr(step, by) <= at), default=-REWARD_LIMIT)


def _figures(agent: str, scores: Sequence[Score], best: Mapping[str, float], confidence: float) -> Figures:
    def estimate(value: Callable[[Score], float | None], statistic: Callable[..., Any] | None) -> Estimate | None:
        values = _by_task([one for one in scores if value(one) is not None], value)
        return statistics.stratified_interval(values, statistic, confidence=confidence) if values else None

    def mean(value: Callable[[Score], float | None]) -> float | None:
        values = [value(one) for one in scores]
        known = [each for each in values if each is not None]
        return math.fsum(known) / len(known) if len(known) == len(values) else None

    iqm, above = estimate(lambda one: one.score, None), estimate(lambda one: one.score, statistics.share_above_zero)
    to_best = estimate(lambda one: best[one.task] - one.score, statistics.pooled_mean)
    assert iqm is not None
    assert above is not None
    assert to_best is not None
    by_task = _by_task(scores, lambda one: one.score)
    return Figures(
        agent=agent,
        runs=len(scores),
        tasks=len(by_task),
        worse=sum(one.score < 0 for one in scores),
        iqm=iqm,
        variant_iqm=estimate(lambda one: one.variant, None),
        above_eevdf=above,
        profile=tuple(statistics.performance_profile(by_task, [math.log(ratio) for ratio in RATIOS]).tolist()),
        gap_to_bound=estimate(lambda one: one.to_bound, statistics.pooled_mean),
        gap_to_best=to_best,
        evaluations=mean(lambda one: one.evaluations) or 0.0,
        virtual_s=mean(lambda one: one.virtual_s) or 0.0,
        tokens=mean(lambda one: one.tokens) or 0.0,
        usd=mean(lambda one: one.usd),
    )


def _improvement(scores: Sequence[Score], others: Sequence[Score]) -> float | None:
    mine, theirs = (_grouped(some, lambda one: one.task) for some in (scores, others))
    common = sorted(mine.keys() & theirs.keys())
    if not common:
        return None
    sides = ([[one.score for one in side[task]] for task in common] for side in (mine, theirs))
    return statistics.probability_of_improvement(*sides)


def _control(control: Mapping[str, Sequence[float]], confidence: float) -> Control | None:
    by_task = [list(values) for values in control.values() if values]
    if not by_task:
        return None
    pooled = [value for values in by_task for value in values]
    iqm = statistics.stratified_interval(by_task, confidence=confidence)
    return Control(len(pooled), iqm, max(map(abs, pooled)))


def _by_task(scores: Iterable[Score], value: Callable[[Score], Any]) -> list[list[float]]:
    groups = _grouped(scores, lambda one: one.task)
    return [[float(value(one)) for one in groups[task]] for task in sorted(groups)]


def _grouped(scores: Iterable[Score], key: Callable[[Score], str]) -> dict[str, list[Score]]:
    groups: dict[str, list[Score]] = {}
    for one in scores:
        groups.setdefault(key(one), []).append(one)
    return groups


def plain(comparison: Comparison) -> dict[str, Any]:
    """All of it as JSON has it; an interval that is not known has ends of null."""
    figures = [_figures_row(one) for one in comparison.figures]
    control = comparison.control and {
        "pairs": comparison.control.pairs,
        **_estimate("iqm", comparison.control.iqm),
        "largest": comparison.control.largest,
    }
    runs = [{**dataclasses.asdict(one), "steps": None} for one in comparison.scores]
    for row in runs:
        del row["steps"]
    return {
        "confidence": comparison.confidence,
        "agents": figures,
        "probability_of_improvement": comparison.improvement,
        "aa_control": control,
        "runs": runs,
        "performance_profiles": profiles(comparison),
        "learning_curves": curves(comparison),
    }


def rows_of(comparison: Comparison) -> list[dict[str, Any]]:
    """A row for each agent, and one for the A/A control: what a CSV file holds."""
    rows = [_figures_row(one) for one in comparison.figures]
    if comparison.control:
        control = {"agent": "EEVDF against EEVDF", "runs": comparison.control.pairs}
        rows.append({**control, **_estimate("iqm", comparison.control.iqm)})
    return rows


def _figures_row(one: Figures) -> dict[str, Any]:
    return {
        "agent": one.agent,
        "runs": one.runs,
        "tasks": one.tasks,
        "runs_worse_than_eevdf": one.worse,
        **_estimate("iqm", one.iqm),
        "improvement": math.exp(one.iqm.value),
        **_estimate("variant_iqm", one.variant_iqm),
        **_estimate("probability_above_eevdf", one.above_eevdf),
        **{f"share_above_{ratio:g}x": share for ratio, share in zip(RATIOS, one.profile, strict=True)},
        **_estimate("gap_to_bound", one.gap_to_bound),
        **_estimate("gap_to_best", one.gap_to_best),
        "evaluations": one.evaluations,
        "virtual_s": one.virtual_s,
        "tokens": one.tokens,
        "usd": one.usd,
    }


def _estimate(name: str, one: Estimate | None) -> dict[str, float | None]:
    if one is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    low, high = (None if math.isnan(end) else end for end in (one.low, one.high))
    return {name: one.value, f"{name}_low": low, f"{name}_high": high}
