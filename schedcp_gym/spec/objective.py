"""Rewards: a measurement compared with the baseline's measurement."""

import math

from schedcp_gym.spec.measurement import Measurement
from schedcp_gym.spec.workload import Direction, Objective, Workload

#: Rewards lie in [-REWARD_LIMIT, REWARD_LIMIT]; exp(3) is 20 times better. A failure has the lowest reward.
REWARD_LIMIT = 3.0


def improvement(workload: Workload, metric: str, value: float, baseline: float) -> float:
    """Return the improvement ratio of one metric: above 1 is better than the baseline, for both directions.

    The ratio is limited to exp(±REWARD_LIMIT), so a metric of 0 does not make it infinite.

    Example:
        >>> improvement(workload, "makespan_s", 2.0, baseline=3.0)  # less is better
        1.5
    """
    better, worse = (value, baseline) if workload.metrics[metric].direction is Direction.MAXIMIZE else (baseline, value)
    limit = math.exp(REWARD_LIMIT)
    if better <= 0 and worse <= 0:
        return 1.0
    if worse <= 0:
        return limit
    return min(max(better / worse, 1 / limit), limit)


def share_of_possible(workload: Workload, measured: Measurement, objective: Objective | None = None) -> float | None:
    """Return how near the first weighted metric came to its bound.

    Args:
        workload: Declares the metrics' directions and the default objective.
        measured: The policy's measurement.
        objective: Replaces the workload's own.

    Returns:
        The share: 1 is the best possible value, and a share above 1 means that the bound is wrong. None if no bound is
        known or the measurement is not ``ok``.
    """
    objective = objective or workload.objective
    if objective.bound is None or not measured.ok:
        return None
    metric = next(iter(objective.weights))
    value, best = measured.metrics[metric], measured.metrics[objective.bound]
    if value <= 0 or best <= 0:
        return None
    return value / best if workload.metrics[metric].direction is Direction.MAXIMIZE else best / value


def reward(
    workload: Workload, measured: Measurement, baseline: Measurement, objective: Objective | None = None
) -> float:
    """Return the weighted mean of the metrics' log improvement ratios over the baseline: 0 is EEVDF.

    If a metric falls below its floor, the reward is at most 0, minus the shortfall (log ratio). An outcome other than
    ``ok`` has the lowest reward; it is never left out.

    Args:
        workload: Declares the metrics' directions and the default objective.
        measured: The policy's measurement.
        baseline: EEVDF's measurement of the same workload, machine and seed; must be ``ok``.
        objective: Replaces the workload's own.

    Returns:
        A number in [-REWARD_LIMIT, REWARD_LIMIT]; 0.69 is twice as good as EEVDF.

    Raises:
        ValueError: The baseline is not ``ok``.
    """
    if not baseline.ok:
        raise ValueError(f"the baseline's outcome is {baseline.outcome}: {baseline.message}")
    if not measured.ok:
        return -REWARD_LIMIT
    objective = objective or workload.objective

    def gained(name: str) -> float:
        return math.log(improvement(workload, name, measured.metrics[name], baseline.metrics[name]))

    total = sum(weight * gained(name) for name, weight in objective.weights.items()) / sum(objective.weights.values())
    shortfall = sum(max(0.0, math.log(floor) - gained(name)) for name, floor in objective.floors.items())
    if shortfall:
        total = min(total, 0.0) - shortfall
    return max(-REWARD_LIMIT, min(REWARD_LIMIT, total))
