"""How well a mean is known."""

import math
from collections.abc import Sequence


def half_width(values: Sequence[float], confidence: float) -> float:
    """Half the width of the confidence interval of a mean (Student's t), the values being independent.

    Args:
        values: What the mean is of.
        confidence: Of the interval, 0 to 1.

    Returns:
        Infinity for fewer than two values.
    """
    from scipy.special import stdtrit

    count = len(values)
    if count < 2:
        return math.inf
    mean = math.fsum(values) / count
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1) / count)
    return float(stdtrit(count - 1, (1 + confidence) / 2)) * spread
