"""Compare agents: statistics of their runs' scores on several tasks, their costs, and the A/A control.

The figures are those of Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice"
(NeurIPS 2021). A score is a log improvement ratio: 0 is EEVDF.
"""

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from schedcp_gym.bench import statistics
from schedcp_gym.bench.statistics import Estimate
from schedcp_gym.spec import REWARD_LIMIT

#: Label of the A/A control.
CONTROL = "EEVDF against EEVDF"
#: Improvement ratios at which tables show the performance profile.
RATIOS = (0.95, 1.0, 1.05, 1.1, 1.25, 1.5, 2.0, 4.0)
#: Number of points of a drawn profile or curve.
POINTS = 61
#: Costs of a search; each has a learning curve.
SPENT = ("evaluations", "virtual_s", "tokens", "usd")


@dataclass(frozen=True)
class SearchStep:
    """The state of a search after an evaluation.

    Attributes:
        evaluations: Number of evaluations so far.
        virtual_s: Guest seconds so far, including baselines.
        best: The highest reward so far; the lowest possible if no policy has run to its end.
        tokens: Tokens of the language model so far; None without a model, or if the record does not have them.
        usd: Dollars so far; also None if a price is unknown.
    """

    evaluations: int
    virtual_s: float
    best: float
    tokens: float | None = None
    usd: float | None = None


@dataclass(frozen=True)
class Score:
    """Score and costs of a run.

    Attributes:
        run: The run's folder.
        agent: The agent, with its language model if it uses one.
        task: Workload, scale and machine.
        seed: Seed of the run.
        score: Mean reward of the chosen policy on held-out seeds.
        variant: The same on held-out variants of the workload; None if there are none.
        to_bound: Distance of the objective's first metric to the known bound, as a log ratio; None without a bound.
        evaluations: Number of measured policies.
        virtual_s: Guest seconds of the search, including tools.
        tokens: Tokens of the language model's prompts and answers.
        usd: Dollars; None if a price is unknown.
        steps: States of the search.
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
    steps: tuple[SearchStep, ...] = ()


@dataclass(frozen=True)
class Figures:
    """Statistics of an agent's runs.

    Attributes:
        agent: The agent.
        runs: Number of runs.
        tasks: Number of tasks.
        worse: Number of runs that scored below EEVDF, including failures.
        iqm: Interquartile mean of the scores.
        variant_iqm: The same on held-out variants; None if there are none.
        above_eevdf: Probability that a run scores above EEVDF; a tie counts as half.
        profile: Share of runs above each of ``RATIOS``.
        gap_to_bound: Mean distance to the known bound, over the runs that have one; None if none has.
        gap_to_best: Mean distance to the best score of all compared runs on the same task.
        evaluations: Mean number of evaluations of a run.
        virtual_s: Mean guest seconds of a run.
        tokens: Mean tokens of a run.
        usd: Mean dollars of a run; None if a price is unknown.
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
    """Scores of EEVDF against itself. They show the noise of the machine and of the statistics.

    Attributes:
        pairs: Number of pairs of measurements.
        iqm: Interquartile mean of their scores; exactly 0 on the virtual clock.
        largest: The largest absolute score.
    """

    pairs: int
    iqm: Estimate
    largest: float


@dataclass(frozen=True)
class Comparison:
    """A comparison of agents.

    Attributes:
        figures: Statistics of each agent, the highest interquartile mean first.
        improvement: Agent → other agent → probability that a run of the first scores above a run of the other, over
            the tasks of both; None if they have no task in common.
        control: The A/A control; None if EEVDF was measured only once on each seed.
        scores: Scores of all runs.
        confidence: Confidence of the intervals.
    """

    figures: tuple[Figures, ...]
    improvement: Mapping[str, Mapping[str, float | None]]
    control: Control | None
    scores: tuple[Score, ...]
    confidence: float

    @property
    def agents(self) -> list[str]:
        """Return the agents' names, in the order of the figures."""
        return [one.agent for one in self.figures]


def compare_scores(
    scores: Sequence[Score], control: Mapping[str, Sequence[float]], *, confidence: float = 0.95
) -> Comparison:
    """Compare agents by the scores of their runs.

    Args:
        scores: Scores of all runs.
        control: Task → scores of EEVDF against EEVDF.
        confidence: Confidence of the intervals.

    Raises:
        ValueError: There are no scores.
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
    """Return each agent's performance profile as rows: ``agent``, ``ratio``, and the ``share`` of runs above it."""
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
    """Return learning curves as rows: the interquartile mean of the best reward so far, by each cost in ``SPENT``.

    The reward is the one in the search, on the search's own seed, so it is higher than the score. A finished search
    keeps its best reward. A curve begins where all searches have an evaluation. Curves over tokens and dollars exist
    for agents that spent some in all their runs.
    """
    rows = []
    for agent, mine in _grouped(comparison.scores, lambda one: one.agent).items():
        searches = [one for one in mine if one.steps]
        for by in SPENT:
            spent = [[getattr(step, by) for step in one.steps] for one in searches]
            if not spent or any(None in one for one in spent) or not (last := max(one[-1] for one in spent)):
                continue
            # Before that, the lowest possible reward would stand for the missing ones.
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


def as_plain(comparison: Comparison) -> dict[str, Any]:
    """Return everything for JSON; the ends of an unknown interval are null."""
    figures = [_figures_row(one) for one in comparison.figures]
    control = comparison.control and {
        "pairs": comparison.control.pairs,
        **_estimate("iqm", comparison.control.iqm),
        "largest": comparison.control.largest,
    }
    runs = [{name: value for name, value in vars(one).items() if name != "steps"} for one in comparison.scores]
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
    """Return the rows of the CSV file: one for each agent, and one for the A/A control."""
    rows = [_figures_row(one) for one in comparison.figures]
    if comparison.control:
        control = {"agent": CONTROL, "runs": comparison.control.pairs}
        rows.append({**control, **_estimate("iqm", comparison.control.iqm)})
    return rows


def _figures_row(one: Figures) -> dict[str, Any]:
    return {
        **{name: getattr(one, name) for name in ("agent", "runs", "tasks")},
        "runs_worse_than_eevdf": one.worse,
        **_estimate("iqm", one.iqm),
        "improvement": math.exp(one.iqm.value),
        **_estimate("variant_iqm", one.variant_iqm),
        **_estimate("probability_above_eevdf", one.above_eevdf),
        **{f"share_above_{ratio:g}x": share for ratio, share in zip(RATIOS, one.profile, strict=True)},
        **_estimate("gap_to_bound", one.gap_to_bound),
        **_estimate("gap_to_best", one.gap_to_best),
        **{name: getattr(one, name) for name in SPENT},
    }


def _estimate(name: str, one: Estimate | None) -> dict[str, float | None]:
    if one is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    low, high = (None if math.isnan(end) else end for end in (one.low, one.high))
    return {name: one.value, f"{name}_low": low, f"{name}_high": high}
