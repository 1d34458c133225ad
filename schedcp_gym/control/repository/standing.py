"""Summarize a policy's results, and decide whether they prove it better than EEVDF."""

import functools
import math
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import yaml
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from schedcp_gym.control.repository.records import ResultRecord, Value
from schedcp_gym.spec import Outcome, Scale
from schedcp_gym.spec.interval import half_width

_RULE = Path(__file__).with_name("promotion.yaml")


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class PromotionRule:
    """The rule by which a policy is proven, as ``promotion.yaml`` declares it."""

    least_seeds: int = Field(ge=2)
    confidence: float = Field(gt=0, lt=1)
    least_reward: float
    most_failures: int = Field(ge=0)
    most_unsafe: int = Field(ge=0)
    unsafe: frozenset[Outcome]
    scales: tuple[Scale, ...]


@functools.cache
def promotion_rule() -> PromotionRule:
    """Return the rule of the package."""
    return PromotionRule(**yaml.safe_load(_RULE.read_text()))


@dataclass(frozen=True, kw_only=True)
class SeedMean:
    """A mean over seeds with its interval. The ends are None with fewer than two seeds."""

    mean: float
    low: float | None
    high: float | None
    seeds: int


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A summary of the results of a policy with certain values on one workload and machine.

    Attributes:
        workload: The workload's name.
        workload_class: The workload's class.
        objective: Name of the objective; empty for the workload's own.
        scale: Scale of the trials.
        machine: The machine, as ``machine_label`` writes it.
        kernel: The machine's kernel setting.
        values: Values of tunables in these results.
        results: Number of results, without faults of the host.
        deployments: Number of results that are of deployments.
        failures: Number of results that are not ok.
        reward: Log of the improvement ratio over EEVDF; None if no result has a reward.
        metrics: Figures by name of the metric.
        proven: Whether the rule of promotion is met.
    """

    workload: str
    workload_class: str
    objective: str
    scale: Scale
    machine: str
    kernel: str
    values: tuple[tuple[str, Value], ...]
    results: int
    deployments: int
    failures: int
    reward: SeedMean | None
    metrics: dict[str, SeedMean]
    proven: bool


def standings(results: Iterable[ResultRecord], rule: PromotionRule | None = None) -> list[Standing]:
    """Return the summaries of a policy's results, proven ones first, then the best first."""
    rule = rule or promotion_rule()
    results = list(results)
    safe = sum(result.outcome in rule.unsafe for result in results) <= rule.most_unsafe
    groups: dict[tuple[object, ...], list[ResultRecord]] = defaultdict(list)
    for result in results:
        if result.outcome is Outcome.INFRA_FAULT:
            continue
        values = tuple(sorted(result.values.items()))
        key = (result.workload, result.objective, result.scale, result.machine, result.kernel, values)
        groups[key].append(result)
    found = [_standing(group, rule, safe=safe) for group in groups.values()]
    return sorted(found, key=lambda one: (not one.proven, -_worth(one), one.workload, str(one.values)))


def _worth(standing: Standing) -> float:
    """Return the lower end of the reward's interval, or the mean less 1 if there is no interval."""
    if standing.reward is None:
        return -math.inf
    return standing.reward.mean - 1.0 if standing.reward.low is None else standing.reward.low


def _standing(results: list[ResultRecord], rule: PromotionRule, *, safe: bool) -> Standing:
    first = results[0]
    rewards = [(result.seed, result.reward) for result in results if result.reward is not None]
    reward = figure(rewards, rule.confidence)
    failures = sum(result.outcome is not Outcome.OK for result in results)
    names = sorted({name for result in results for name in result.metrics})
    metrics = {
        name: figure([(each.seed, each.metrics[name]) for each in results if name in each.metrics], rule.confidence)
        for name in names
    }
    proven = (
        safe
        and reward is not None
        and reward.seeds >= rule.least_seeds
        and reward.low is not None
        and reward.low > rule.least_reward
        and failures <= rule.most_failures
        and first.scale in rule.scales
    )
    return Standing(
        workload=first.workload,
        workload_class=first.workload_class,
        objective=first.objective,
        scale=first.scale,
        machine=first.machine,
        kernel=first.kernel,
        values=tuple(sorted(first.values.items())),
        results=len(results),
        deployments=sum(result.origin == "deployment" for result in results),
        failures=failures,
        reward=reward,
        metrics={name: each for name, each in metrics.items() if each is not None},
        proven=proven,
    )


def figure(by_seed: Iterable[tuple[int, float]], confidence: float) -> SeedMean | None:
    """Return the mean over seeds with its interval (Student's t); None without values.

    A seed that was measured several times counts once, with its mean.

    Args:
        by_seed: Pairs of seed and value.
        confidence: Of the interval, from 0 to 1.
    """
    groups: dict[int, list[float]] = defaultdict(list)
    for seed, value in by_seed:
        groups[seed].append(value)
    means = [math.fsum(values) / len(values) for _, values in sorted(groups.items())]
    count = len(means)
    if not count:
        return None
    mean = math.fsum(means) / count
    if count < 2:
        return SeedMean(mean=mean, low=None, high=None, seeds=count)
    half = half_width(means, confidence)
    return SeedMean(mean=mean, low=mean - half, high=mean + half, seeds=count)
