"""What a policy came to on a workload, and on all of them."""

import dataclasses
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from schedcp_gym.spec import Measurement, Objective, Outcome, Policy, Workload, reward, share_of_possible


@dataclass(frozen=True)
class Result:
    """A policy on a workload and seed, against EEVDF.

    Attributes:
        policy: What was measured.
        workload: On what.
        objective: What counts as better.
        seed: The workload's seed.
        measured: The measurement; the medians where there were several.
        baseline: EEVDF's, in the same way; None where it was not measured.
        repeats: How many measurements ``measured`` stands for.
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
        """The objective's first metric: the one that is shown."""
        return next(iter(self.objective.weights))

    @property
    def value(self) -> float | None:
        """That metric's value; None unless the outcome is ok."""
        return self.measured.metrics.get(self.metric) if self.measured.ok else None

    @property
    def unit(self) -> str:
        """That metric's unit."""
        return self.workload.metrics[self.metric].unit

    @property
    def bound(self) -> float | None:
        """The best value possible; None where it is not known."""
        if self.objective.bound is None or not self.measured.ok:
            return None
        return self.measured.metrics[self.objective.bound]

    @property
    def possible(self) -> float | None:
        """The share of what is possible that was reached; None without a bound."""
        return share_of_possible(self.workload, self.measured, self.objective)

    @property
    def reward(self) -> float | None:
        """The objective's reward; None where nothing can be scored: EEVDF was not ok, or the host failed."""
        if self.baseline is None or not self.baseline.ok or self.measured.outcome is Outcome.INFRA_FAULT:
            return None
        return reward(self.workload, self.measured, self.baseline, self.objective)

    @property
    def ratio(self) -> float | None:
        """The objective's improvement ratio over EEVDF: above 1 is better."""
        return None if self.reward is None else math.exp(self.reward)

    @property
    def host_s(self) -> float:
        """Host seconds it took when it was measured."""
        return self.measured.timings_s.get("total", 0.0)


@dataclass(frozen=True)
class Total:
    """A policy over a suite.

    Attributes:
        policy: Its name.
        trials: How many results there are.
        ok: How many of them are ok.
        scored: How many have a ratio.
        ratio: Geometric mean of their improvement ratios over EEVDF, failures included as the worst; None if none.
        possible: Mean share of what is possible, over those with a known bound; None if none.
        host_s: Host seconds when they were measured.
        cached: How many were there already.
    """

    policy: str
    trials: int
    ok: int
    scored: int
    ratio: float | None
    possible: float | None
    host_s: float
    cached: int


def totals(results: Sequence[Result]) -> list[Total]:
    """The sum of each policy's results, in order of the policies."""
    by_policy: dict[str, list[Result]] = {}
    for result in results:
        by_policy.setdefault(result.policy.name, []).append(result)
    return [_total(name, mine) for name, mine in by_policy.items()]


def _total(name: str, results: Sequence[Result]) -> Total:
    rewards = [result.reward for result in results if result.reward is not None]
    shares = [result.possible for result in results if result.possible is not None]
    return Total(
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
    """One measurement for several of the same trial: the median of each figure, the host's time summed.

    A trial that failed once is not ok: the first failure stands for all. Faults of the host count only when there is
    nothing else.

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
