"""The results of a training: its learning curve, and a comparison of its end with uniform actions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from schedcp_gym.spec.interval import half_width

CONFIDENCE = 0.95
#: Parts of a learning curve.
TENTHS = 10
RESAMPLES = 10_000


@dataclass(frozen=True)
class Episode:
    """An episode that has ended.

    Attributes:
        reward: Sum of its rewards.
        steps: Number of its steps.
    """

    reward: float
    steps: int


@dataclass(frozen=True)
class Part:
    """A part of a learning curve.

    Attributes:
        episodes: Number of its episodes.
        steps_total: Steps from the beginning of the training to the end of this part.
        reward: Mean of its episodes' rewards.
        half_width: Half the width of the mean's 95 % interval, for independent episodes; infinite for one episode.
    """

    episodes: int
    steps_total: int
    reward: float
    half_width: float


@dataclass(frozen=True)
class Gain:
    """The gain in an episode's reward after learning, compared with uniform actions.

    Attributes:
        reward: Mean over the last tenth of a training's episodes minus the mean over episodes with uniform actions.
        low: Lower end of its 95 % interval: bootstrap over episodes (Efron 1979, percentiles).
        high: Upper end. Both are infinite if one of the two groups has fewer than two episodes.
    """

    reward: float
    low: float
    high: float


def part_of(rewards: Sequence[float], steps_total: int = 0) -> Part:
    """Return a part of a curve from its episodes' rewards (at least one)."""
    mean = math.fsum(rewards) / len(rewards)
    return Part(len(rewards), steps_total, mean, half_width(rewards, CONFIDENCE))


def curve_of(episodes: Sequence[Episode]) -> list[Part]:
    """Return a learning curve: a part for each tenth of the episodes; for each episode if there are fewer than ten."""
    parts, count = [], min(TENTHS, len(episodes))
    for index in range(count):
        first, end = (len(episodes) * place // count for place in (index, index + 1))
        steps = sum(episode.steps for episode in episodes[:end])
        parts.append(part_of([episode.reward for episode in episodes[first:end]], steps))
    return parts


def last_tenth(episodes: Sequence[Episode]) -> list[float]:
    """Return the rewards in the last part of the learning curve."""
    count = min(TENTHS, len(episodes))
    return [episode.reward for episode in episodes[len(episodes) * (count - 1) // count :]] if count else []


def gain_of(learnt: Sequence[float], uniform: Sequence[float], seed: int) -> Gain:
    """Compare two groups of episodes.

    Args:
        learnt: Rewards of the last tenth of the training, at least one.
        uniform: Rewards with uniform actions, at least one.
        seed: Of the resampling.
    """
    from scipy.stats import bootstrap

    gained = float(np.mean(learnt) - np.mean(uniform))
    if min(len(learnt), len(uniform)) < 2:
        return Gain(gained, -math.inf, math.inf)

    def difference(first: Any, second: Any, axis: int) -> Any:
        return np.mean(first, axis=axis) - np.mean(second, axis=axis)

    interval = bootstrap(
        (learnt, uniform),
        difference,
        n_resamples=RESAMPLES,
        batch=1000,  # resamples in memory at the same time
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Gain(gained, float(interval.low), float(interval.high))


def mean_gain(gains: Sequence[Gain]) -> Gain:
    """Return the mean over trainings with different seeds. Its interval (Student's t) is over trainings."""
    rewards = [gain.reward for gain in gains]
    mean, width = math.fsum(rewards) / len(rewards), half_width(rewards, CONFIDENCE)
    return Gain(mean, mean - width, mean + width)
