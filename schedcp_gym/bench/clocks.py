"""Whether the virtual clock ranks policies as the real one does."""

import itertools
import statistics
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schedcp_gym.bench.result import Result
from schedcp_gym.bench.suite import Bench


@dataclass(frozen=True)
class Correlation:
    """How far two rankings agree: 1 is the same order, 0 none, -1 the opposite; None where one has no order."""

    spearman: float | None
    kendall: float | None


@dataclass(frozen=True)
class Place:
    """A policy on both clocks. Ranks begin with 1, the best; equals share the mean of their ranks."""

    policy: str
    virtual: float
    virtual_rank: float
    real: float
    real_rank: float
    real_low: float
    real_high: float


@dataclass(frozen=True)
class Comparison:
    """Two rankings of the same policies, by reward: log of the improvement ratio over EEVDF.

    Attributes:
        places: The policies, the virtual clock's best first.
        agreement: Of the virtual clock with the medians on the real clock.
        repeats: Repeats on the real clock.
        single: Spearman's correlation of the virtual clock with each single repeat.
        noise: Mean Spearman's correlation of two single repeats on the real clock: what that clock agrees with itself.
    """

    places: tuple[Place, ...]
    agreement: Correlation
    repeats: int
    single: tuple[float, ...]
    noise: float | None


def correlate(first: Sequence[float], second: Sequence[float]) -> Correlation:
    """Rank correlations of two sequences of figures; ties are allowed for (Kendall's tau-b)."""
    from scipy import stats

    if len(first) < 2:
        return Correlation(None, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        spearman, kendall = stats.spearmanr(first, second), stats.kendalltau(first, second)
    return Correlation(_number(spearman.statistic), _number(kendall.statistic))


def _number(value: object) -> float | None:
    number = float(value)  # type: ignore[arg-type]
    return number if number == number else None


def compare(
    virtual: Mapping[str, float], real: Mapping[str, float], rounds: Sequence[Mapping[str, float]]
) -> Comparison:
    """Compares two rankings.

    Args:
        virtual: Reward by policy on the virtual clock.
        real: On the real clock, from medians over the repeats.
        rounds: On the real clock, for each single repeat.

    Raises:
        ValueError: The policies are not the same.
    """
    names = list(virtual)
    if any(set(other) != set(names) for other in (real, *rounds)):
        raise ValueError("both clocks, and each repeat, must have the same policies")
    places = [
        Place(
            name,
            virtual[name],
            _rank(virtual, name),
            real[name],
            _rank(real, name),
            min([one[name] for one in rounds], default=real[name]),
            max([one[name] for one in rounds], default=real[name]),
        )
        for name in sorted(names, key=lambda name: -virtual[name])
    ]

    def spearman(first: Mapping[str, float], second: Mapping[str, float]) -> float | None:
        return correlate([first[name] for name in names], [second[name] for name in names]).spearman

    single = [spearman(virtual, one) for one in rounds]
    among = [spearman(first, second) for first, second in itertools.combinations(rounds, 2)]
    known = [one for one in among if one is not None]
    return Comparison(
        places=tuple(places),
        agreement=correlate([virtual[name] for name in names], [real[name] for name in names]),
        repeats=len(rounds),
        single=tuple(one for one in single if one is not None),
        noise=statistics.fmean(known) if known else None,
    )


def _rank(rewards: Mapping[str, float], name: str) -> float:
    better = sum(value > rewards[name] for value in rewards.values())
    equal = sum(value == rewards[name] for value in rewards.values())
    return better + (equal + 1) / 2


def compare_benches(virtual: Bench, real: Bench) -> Comparison | None:
    """Compares what two benches of one workload and seed found, as far as they came.

    Returns:
        None before the first whole repeat, or when EEVDF itself failed: then nothing can be ranked.
    """
    rounds = [_rewards(round_) for round_ in real.rounds()]
    whole = [one for one in rounds if one is not None]
    exact, medians = _rewards(virtual.results()), _rewards(real.results())
    if not whole or exact is None or medians is None:
        return None
    # A policy that the host failed in a repeat has no place in it.
    names = set(exact).intersection(medians, *whole)

    def common(rewards: dict[str, float]) -> dict[str, float]:
        return {name: value for name, value in rewards.items() if name in names}

    return compare(common(exact), common(medians), [common(one) for one in whole])


def _rewards(results: Sequence[Result]) -> dict[str, float] | None:
    found = {result.policy.name: result.reward for result in results if result.reward is not None}
    return found or None
