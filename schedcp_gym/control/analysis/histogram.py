"""Histograms by powers of two: what they say, in few words."""

from collections.abc import Sequence
from typing import Any

#: Names shown one by one; the rest is added up.
ROWS = 6


def from_slots(slots: Sequence[int], total: float, largest: float) -> dict[str, Any]:
    """A histogram as data.

    Args:
        slots: Counts; slot n holds the values that need n bits: 0, 1, 2 to 3, 4 to 7 …
        total: The values' sum.
        largest: The largest value.

    Returns:
        ``buckets`` (``[low, high, count]``, high not included, from the first that is not empty to the last),
        ``count``, ``p50``, ``p99``, ``total`` and ``max``. Percentiles are interpolated within a bucket.
    """
    filled = [number for number, count in enumerate(slots) if count]
    span = range(filled[0], filled[-1] + 1) if filled else range(0)
    buckets = [[1 << number >> 1 if number else 0, 1 << number, int(slots[number])] for number in span]
    return {
        "buckets": buckets,
        "count": sum(slots),
        "p50": quantile(buckets, 0.50, largest),
        "p99": quantile(buckets, 0.99, largest),
        "total": total,
        "max": largest,
    }


def quantile(buckets: Sequence[Sequence[int]], share: float, largest: float) -> float:
    """The value below which a share of the counts lies, interpolated within its bucket; 0 when there are none."""
    wanted = share * sum(count for _, _, count in buckets)
    below = 0
    for low, high, count in buckets:
        if count and below + count >= wanted:
            width = min(high, max(largest, low)) - low
            return round(low + width * (wanted - below) / count, 1)
        below += count
    return 0.0


def merge(histograms: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Several histograms as one."""
    slots = [0] * 64
    for histogram in histograms:
        for low, _, count in histogram["buckets"]:
            slots[int(low).bit_length()] += count
    largest = max((histogram["max"] for histogram in histograms), default=0)
    return from_slots(slots, sum(histogram["total"] for histogram in histograms), largest)


def lines(by: dict[str, dict[str, Any]], rows: int = ROWS) -> list[str]:
    """Histograms as text, those with the largest sum first, a line each."""
    order = sorted(by, key=lambda name: (-by[name]["total"], name))
    shown = {name: by[name] for name in order[:rows]}
    if rest := order[rows:]:
        shown[f"({len(rest)} others)"] = merge([by[name] for name in rest])
    return [f"{name}: {_line(histogram)}" for name, histogram in shown.items()]


def _line(histogram: dict[str, Any]) -> str:
    buckets, count = histogram["buckets"], histogram["count"]
    figures = f"n {count}, p50 {short(histogram['p50'])}, p99 {short(histogram['p99'])}, max {short(histogram['max'])}"
    if count < 2 or not buckets:
        return figures
    shares = " ".join(str(round(100 * bucket[2] / count)) for bucket in buckets)
    return f"{figures}; from {buckets[0][0]}: {shares}"


def short(value: float) -> str:
    """A figure with three digits: 12375 is 12.4k."""
    for limit, sign in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (limit if limit != 1e4 else 1e3):.3g}{sign}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
