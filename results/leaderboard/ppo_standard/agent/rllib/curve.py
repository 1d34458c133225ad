"""What a training has given: its learning curve, and its end against uniform actions."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from schedcp_gym.spec.interval import half_width

CONFIDENCE = 0.95
#: Parts of a learning curve.
TENTHS = 10
RESAMPLES = 10_000


@dataclasses.dataclass(frozen=True)
class Episode:
    """An episode that has ended.

    Attributes:
        reward: Sum of its rewards.
        steps: How many they were.
    """

    reward: float
    steps: int


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of a learning curve.

    Attributes:
        episodes: How many it is of.
        steps_total: Steps until its end.
        reward: Mean of its episodes' rewards.
        half_width: Half of the mean's 95 % interval, the episodes being taken as independent; infinite for one.
    """

    episodes: int
    steps_total: int
    reward: float
    half_width: float


@dataclasses.dataclass(frozen=True)
class Gain:
    """How much more reward an episode gives after learning than with uniform actions.

    Attributes:
        reward: Difference of the means: the last tenth of a training's episodes less as many of uniform actions.
        low: Where its 95 % interval begins: bootstrap over episodes (Efron 1979, percentiles).
        high: Where it ends. Both are infinite where there are fewer than two episodes of a kind.
    """

    reward: float
    low: float
    high: float


def part_of(rewards: Sequence[float], steps_total: int = 0) -> Part:
    """A part of a curve, from its episodes' rewards."""
    mean = math.fsum(rewards) / len(rewards)
    return Part(len(rewards), steps_total, mean, half_width(rewards, CONFIDENCE))


def curve_of(episodes: Sequence[Episode]) -> list[Part]:
    """A learning curve: the episodes in tenths, or one by one where they are fewer."""
    parts, count = [], min(TENTHS, len(episodes))
    for index in range(count):
        first, end = (len(episodes) * place // count for place in (index, index + 1))
        steps = sum(episode.steps for episode in episodes[:end])
        parts.append(part_of([episode.reward for episode in episodes[first:end]], steps))
    return parts


def last_tenth(episodes: Sequence[Episode]) -> list[float]:
    """The rewards of a learning curve's last part."""
    count = min(TENTHS, len(episodes))
    return [episode.reward for episode in episodes[len(episodes) * (count - 1) // count :]] if count else []


def gain_of(learnt: Sequence[float], uniform: Sequence[float], seed: int) -> Gain:
    """Compares episodes' rewards; of both there is at least one.

    Args:
        learnt: Those of the last tenth.
        uniform: Those of uniform actions.
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
        batch=1000,  # resamples held in memory at once
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Gain(gained, float(interval.low), float(interval.high))


def mean_gain(gains: Sequence[Gain]) -> Gain:
    """The mean over trainings with different seeds: its interval (Student's t) is over these, not over episodes."""
    rewards = [gain.reward for gain in gains]
    mean, width = math.fsum(rewards) / len(rewards), half_width(rewards, CONFIDENCE)
    return Gain(mean, mean - width, mean + width)
