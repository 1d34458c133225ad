"""Compare the rankings of policies on the virtual clock and on the real clock."""

import itertools
import statistics
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schedcp_gym.bench.result import BenchResult
from schedcp_gym.bench.suite import Bench


@dataclass(frozen=True)
class Correlation:
    """Agreement of two rankings: 1 is the same order, 0 no relation, -1 the opposite; None if all values are equal."""

    spearman: float | None
    kendall: float | None


@dataclass(frozen=True)
class Place:
    """Rewards and ranks of a policy on both clocks. Rank 1 is the best; equal rewards share the mean of their ranks."""

    policy: str
    virtual: float
    virtual_rank: float
    real: float
    real_rank: float
    real_low: float
    real_high: float


@dataclass(frozen=True)
class ClockComparison:
    """Two rankings of the same policies, by reward: log of the improvement ratio over EEVDF.

    Attributes:
        places: The policies, the best on the virtual clock first.
        agreement: Correlation of the virtual clock with the medians on the real clock.
        repeats: Number of repeats on the real clock.
        single: Spearman's correlation of the virtual clock with each repeat.
        noise: Mean Spearman's correlation between two repeats on the real clock; None with fewer than two.
    """

    places: tuple[Place, ...]
    agreement: Correlation
    repeats: int
    single: tuple[float, ...]
    noise: float | None


def correlate(first: Sequence[float], second: Sequence[float]) -> Correlation:
    """Return the rank correlations of two sequences. Ties are allowed (Kendall's tau-b)."""
    from scipy import stats

    if len(first) < 2:
        return Correlation(None, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        found = [float(test(first, second).statistic) for test in (stats.spearmanr, stats.kendalltau)]
    return Correlation(*(value if value == value else None for value in found))


def compare_clocks(
    virtual: Mapping[str, float], real: Mapping[str, float], rounds: Sequence[Mapping[str, float]]
) -> ClockComparison:
    """Compare two rankings.

    Args:
        virtual: Reward of each policy on the virtual clock.
        real: Reward of each policy on the real clock, from the medians over the repeats.
        rounds: Rewards on the real clock in each repeat.

    Raises:
        ValueError: The policies are not the same.
    """
    from scipy.stats import rankdata

    names = sorted(virtual, key=lambda name: -virtual[name])
    if any(set(other) != set(names) for other in (real, *rounds)):
        raise ValueError("both clocks, and each repeat, must have the same policies")

    def values(rewards: Mapping[str, float]) -> list[float]:
        return [rewards[name] for name in names]

    def ranks(rewards: Mapping[str, float]) -> list[float]:
        return [float(rank) for rank in rankdata([-value for value in values(rewards)])]

    def spearman(pairs: Sequence[tuple[Mapping[str, float], Mapping[str, float]]]) -> list[float]:
        found = [correlate(values(first), values(second)).spearman for first, second in pairs]
        return [one for one in found if one is not None]

    places = [
        Place(name, virtual[name], virtual_rank, real[name], real_rank, min(spread), max(spread))
        for name, virtual_rank, real_rank in zip(names, ranks(virtual), ranks(real), strict=True)
        for spread in [[one[name] for one in rounds] or [real[name]]]
    ]
    among = spearman(list(itertools.combinations(rounds, 2)))
    return ClockComparison(
        places=tuple(places),
        agreement=correlate(values(virtual), values(real)),
        repeats=len(rounds),
        single=tuple(spearman([(virtual, one) for one in rounds])),
        noise=statistics.fmean(among) if among else None,
    )


def compare_benches(virtual: Bench, real: Bench) -> ClockComparison | None:
    """Compare the results so far of two benches of one workload and seed.

    Returns:
        None if no repeat is complete, or if EEVDF failed: then there is nothing to rank.
    """
    rounds = [_rewards(each) for each in real.rounds()]
    complete = [one for one in rounds if one]
    exact, medians = _rewards(virtual.results()), _rewards(real.results())
    if not complete or not exact or not medians:
        return None
    # A policy has no reward in a repeat in which the host failed.
    names = set(exact).intersection(medians, *complete)

    def common(rewards: dict[str, float]) -> dict[str, float]:
        return {name: value for name, value in rewards.items() if name in names}

    return compare_clocks(common(exact), common(medians), [common(one) for one in complete])


def _rewards(results: Sequence[BenchResult]) -> dict[str, float]:
    return {result.policy.name: result.reward for result in results if result.reward is not None}
