"""Confidence intervals of a mean."""

import math
from collections.abc import Sequence


def half_width(values: Sequence[float], confidence: float) -> float:
    """Return half the width of the confidence interval of a mean (Student's t).

    Args:
        values: Independent values.
        confidence: Of the interval, between 0 and 1.

    Returns:
        The half width, in the unit of the values; infinity for fewer than two values.
    """
    from scipy.special import stdtrit

    count = len(values)
    if count < 2:
        return math.inf
    mean = math.fsum(values) / count
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1) / count)
    return float(stdtrit(count - 1, (1 + confidence) / 2)) * spread
