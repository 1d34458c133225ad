"""What a policy's results come to, and whether they prove it."""

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
    """When a policy is proven, as ``promotion.yaml`` declares it."""

    least_seeds: int = Field(ge=2)
    confidence: float = Field(gt=0, lt=1)
    least_reward: float
    most_failures: int = Field(ge=0)
    most_unsafe: int = Field(ge=0)
    unsafe: frozenset[Outcome]
    scales: tuple[Scale, ...]


@functools.cache
def promotion_rule() -> PromotionRule:
    """The rule that comes with the package."""
    return PromotionRule(**yaml.safe_load(_RULE.read_text()))


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure's mean over seeds, and the interval of that mean; the ends are None with fewer than two seeds."""

    mean: float
    low: float | None
    high: float | None
    seeds: int


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a policy, with certain values, came to on a workload and machine.

    Attributes:
        workload: On what.
        workload_class: Its class.
        objective: What counted; empty: the workload's own.
        scale: How long.
        machine: Where.
        kernel: With which kernel.
        values: Values set for these results.
        results: How many there are.
        deployments: How many of them are of deployments.
        failures: How many are not ok; the host's faults do not count at all.
        reward: Over EEVDF; None where nothing could be compared.
        metrics: By name.
        proven: Whether the rule of promotion holds.
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
    reward: Figure | None
    metrics: dict[str, Figure]
    proven: bool


def standings(results: Iterable[ResultRecord], rule: PromotionRule | None = None) -> list[Standing]:
    """A policy's results, put together; the best first."""
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
    """What is known to be reached: the lower end of the reward's interval, or a guarded mean."""
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


def figure(by_seed: Iterable[tuple[int, float]], confidence: float) -> Figure | None:
    """The mean over seeds with its interval (Student's t); a seed measured several times counts once, by its mean."""
    groups: dict[int, list[float]] = defaultdict(list)
    for seed, value in by_seed:
        groups[seed].append(value)
    means = [math.fsum(values) / len(values) for _, values in sorted(groups.items())]
    count = len(means)
    if not count:
        return None
    mean = math.fsum(means) / count
    if count < 2:
        return Figure(mean=mean, low=None, high=None, seeds=count)
    half = half_width(means, confidence)
    return Figure(mean=mean, low=mean - half, high=mean + half, seeds=count)
