"""Statistics of the scores of several runs on several tasks, with confidence intervals.

They follow Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (NeurIPS 2021).
Scores are one sequence for each task, with a figure for each run; the number of runs may differ between tasks.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = Sequence[Sequence[float]]
Array = NDArray[np.float64]
#: Share of the scores that is cut from each end before the mean, which leaves the middle half.
CUT = 0.25


@dataclass(frozen=True)
class Estimate:
    """A figure and its confidence interval; the ends are NaN if a task has fewer than two runs."""

    value: float
    low: float
    high: float


def interquartile_mean(scores: Scores) -> float:
    """Return the mean of the middle half of all runs' scores, over all tasks together."""
    return float(_interquartile_mean(*_checked(scores)))


def optimality_gap(scores: Scores, goal: float) -> float:
    """Return the mean shortfall of scores from a goal, like the best score; scores above the goal count as 0."""
    pooled = np.concatenate(_checked(scores))
    return float(np.mean(np.maximum(goal - pooled, 0.0)))


def performance_profile(scores: Scores, thresholds: Sequence[float]) -> Array:
    """Return the share of runs, over all tasks together, that score above each threshold."""
    pooled = np.concatenate(_checked(scores))
    share: Array = np.mean(pooled[None, :] > np.asarray(thresholds, dtype=float)[:, None], axis=1)
    return share


def probability_of_improvement(scores: Scores, others: Scores) -> float:
    """Return the probability that a run scores above a run of another agent on the same task; a tie counts as half.

    Raises:
        ValueError: The numbers of tasks differ.
    """
    return float(_improvement(_checked(scores), _checked(others)))


def stratified_interval(
    scores: Scores,
    statistic: Callable[..., Any] | None = None,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Return the stratified bootstrap interval of a figure (percentile method; runs are resampled within each task).

    Args:
        scores: Scores by task.
        statistic: Function of a sample for each task, and ``axis``; by default the interquartile mean.
        confidence: Confidence of the interval, 0 to 1.
        resamples: Number of resamples.
        seed: Seed of the resampling: the same scores always give the same interval.
    """
    from scipy.stats import bootstrap

    samples, figure = _checked(scores), statistic or _interquartile_mean
    value = float(figure(*samples, axis=-1))
    if min(map(len, samples)) < 2:
        return Estimate(value, math.nan, math.nan)
    found = bootstrap(
        samples,
        figure,
        n_resamples=resamples,
        vectorized=True,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Estimate(value, float(found.low), float(found.high))


def share_above_zero(*samples: Array, axis: int = -1) -> Any:
    """Return the mean probability over tasks that a run scores above 0, which is EEVDF; a tie counts as half."""
    return np.mean([np.mean((task > 0) + 0.5 * (task == 0), axis=axis) for task in samples], axis=0)


def pooled_mean(*samples: Array, axis: int = -1) -> Any:
    """Return the mean of all runs, over all tasks together."""
    return np.mean(np.concatenate(samples, axis=axis), axis=axis)


def _interquartile_mean(*samples: Array, axis: int = -1) -> Any:
    from scipy.stats import trim_mean

    return trim_mean(np.concatenate(samples, axis=axis), CUT, axis=axis)


def _improvement(samples: Sequence[Array], others: Sequence[Array]) -> float:
    from scipy.stats import mannwhitneyu

    # U is the number of pairs in which the first is above, plus half the number of equal pairs.
    shares = [
        mannwhitneyu(mine, theirs, method="asymptotic").statistic / (len(mine) * len(theirs))
        for mine, theirs in zip(samples, others, strict=True)
    ]
    return float(np.mean(shares))


def _checked(scores: Scores) -> tuple[Array, ...]:
    samples = tuple(np.asarray(task, dtype=float) for task in scores)
    if not samples or any(task.size == 0 for task in samples):
        raise ValueError("each task needs a score")
    if any(not np.isfinite(task).all() for task in samples):
        raise ValueError("a score is not a finite number: a failure must have the lowest score")
    return samples
