"""From two measurements to one reward."""

import math

from schedcp_gym.spec.measurement import Measurement
from schedcp_gym.spec.workload import Direction, Objective, Workload

#: Rewards lie in [-REWARD_LIMIT, REWARD_LIMIT]; exp(3) is 20 times better. A failure earns the lower end.
REWARD_LIMIT = 3.0


def improvement(workload: Workload, metric: str, value: float, baseline: float) -> float:
    """The improvement ratio of one metric: above 1 is better than the baseline, whatever the direction.

    A ratio with a 0 in it is limited to exp(±REWARD_LIMIT) instead of infinite.
    """
    better, worse = (value, baseline) if workload.metrics[metric].direction is Direction.MAXIMIZE else (baseline, value)
    limit = math.exp(REWARD_LIMIT)
    if better <= 0 and worse <= 0:
        return 1.0
    if worse <= 0:
        return limit
    return min(max(better / worse, 1 / limit), limit)


def share_of_possible(workload: Workload, measured: Measurement, objective: Objective | None = None) -> float | None:
    """How near the first weighted metric came to its bound, 1 being all that is possible.

    Args:
        workload: Declares the metrics' directions and the default objective.
        measured: What was measured.
        objective: Replaces the workload's own.

    Returns:
        The share; above 1 if the bound was wrong. None where no bound is known, or the measurement is not ``ok``.
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
    """Log of the improvement ratio over the baseline, weighted over the objective's metrics: 0 is EEVDF.

    Where a metric falls below the objective's floor for it, there is no reward above 0, and the shortfall (log ratio)
    is taken off. Anything but an ``ok`` outcome scores as the worst, never as missing.

    Args:
        workload: Declares the metrics' directions and the default objective.
        measured: The policy's measurement.
        baseline: EEVDF's measurement of the same workload, machine and seed; must be ``ok``.
        objective: Replaces the workload's own.

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
