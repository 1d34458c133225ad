"""Results of a policy on a workload, and its totals over several workloads."""

import dataclasses
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from schedcp_gym.spec import Measurement, Objective, Outcome, Policy, Workload, reward, share_of_possible


@dataclass(frozen=True)
class BenchResult:
    """A policy on a workload and seed, compared with EEVDF.

    Attributes:
        policy: The policy that was measured.
        workload: The workload.
        objective: The objective by which it is scored.
        seed: The workload's seed.
        measured: The measurement; with several repeats, their medians.
        baseline: EEVDF's measurement, in the same way; None if it was not measured.
        repeats: Number of measurements.
    """

    policy: Policy
    workload: Workload
    objective: Objective
    seed: int
    measured: Measurement
    baseline: Measurement | None = None
    repeats: int = 1

    @property
    def metric(self) -> str:
        """Return the objective's first metric."""
        return next(iter(self.objective.weights))

    @property
    def value(self) -> float | None:
        """Return that metric's value; None unless the outcome is ok."""
        return self.measured.metrics.get(self.metric) if self.measured.ok else None

    @property
    def unit(self) -> str:
        """Return that metric's unit."""
        return self.workload.metrics[self.metric].unit

    @property
    def bound(self) -> float | None:
        """Return the metric's best possible value; None if it is unknown."""
        if self.objective.bound is None or not self.measured.ok:
            return None
        return self.measured.metrics[self.objective.bound]

    @property
    def possible(self) -> float | None:
        """Return the share of the best possible value that was reached; None if that is unknown."""
        return share_of_possible(self.workload, self.measured, self.objective)

    @property
    def reward(self) -> float | None:
        """Return the objective's reward; None if EEVDF's outcome is not ok, or if the host failed."""
        if self.baseline is None or not self.baseline.ok or self.measured.outcome is Outcome.INFRA_FAULT:
            return None
        return reward(self.workload, self.measured, self.baseline, self.objective)

    @property
    def ratio(self) -> float | None:
        """Return the objective's improvement ratio over EEVDF: above 1 is better."""
        return None if self.reward is None else math.exp(self.reward)

    @property
    def host_s(self) -> float:
        """Return the host seconds of the measurement."""
        return self.measured.timings_s.get("total", 0.0)


@dataclass(frozen=True)
class PolicyTotal:
    """Totals of a policy over a suite.

    Attributes:
        policy: The policy's name.
        trials: Number of results.
        ok: Number of results with outcome ok.
        scored: Number of results with a ratio.
        ratio: Geometric mean of the improvement ratios over EEVDF, with failures as the worst; None if there are none.
        possible: Mean share of the best possible value, where that is known; None if there is none.
        host_s: Host seconds of all measurements.
        cached: Number of results that came from the cache.
    """

    policy: str
    trials: int
    ok: int
    scored: int
    ratio: float | None
    possible: float | None
    host_s: float
    cached: int


def totals(results: Sequence[BenchResult]) -> list[PolicyTotal]:
    """Return the totals of each policy, in the order of the results."""
    by_policy: dict[str, list[BenchResult]] = {}
    for result in results:
        by_policy.setdefault(result.policy.name, []).append(result)
    return [_total(name, mine) for name, mine in by_policy.items()]


def _total(name: str, results: Sequence[BenchResult]) -> PolicyTotal:
    rewards = [result.reward for result in results if result.reward is not None]
    shares = [result.possible for result in results if result.possible is not None]
    return PolicyTotal(
        policy=name,
        trials=len(results),
        ok=sum(result.measured.ok for result in results),
        scored=len(rewards),
        ratio=math.exp(statistics.fmean(rewards)) if rewards else None,
        possible=statistics.fmean(shares) if shares else None,
        host_s=math.fsum(result.host_s for result in results),
        cached=sum(result.measured.cached for result in results),
    )


def median_of(measurements: Sequence[Measurement]) -> Measurement:
    """Return one measurement for several of the same trial: the median of each figure, and the sum of host times.

    If one failed, the result is that failure. Faults of the host count only if there is nothing else.

    Raises:
        ValueError: There are none.
    """
    counted = [one for one in measurements if one.outcome is not Outcome.INFRA_FAULT] or list(measurements)
    if not counted:
        raise ValueError("no measurement to take the median of")
    if len(counted) == 1:
        return counted[0]
    spent = math.fsum(one.timings_s.get("total", 0.0) for one in measurements)
    chosen = next((one for one in counted if not one.ok), counted[0])
    common = dataclasses.replace(chosen, timings_s={"total": spent}, cached=all(one.cached for one in counted))
    if not chosen.ok:
        return common
    metrics = {name: statistics.median(one.metrics[name] for one in counted) for name in chosen.metrics}
    busy = [one.utilisation for one in counted if one.utilisation is not None]
    return dataclasses.replace(common, metrics=metrics, utilisation=statistics.median(busy) if busy else None)
