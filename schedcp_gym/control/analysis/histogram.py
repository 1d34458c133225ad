"""Histograms whose buckets are powers of two: as data, and as lines of text."""

from collections.abc import Sequence
from typing import Any

#: Most names with a line of their own. The others are added up in one line.
ROWS = 6
#: How to read :func:`lines`.
LEGEND = "(% of the counts in each bucket; the first bucket begins at the number after 'from', each is twice as wide)"


def from_slots(slots: Sequence[int], total: float, largest: float) -> dict[str, Any]:
    """Return a histogram as data.

    Args:
        slots: Counts. Slot n counts the values that need n bits: 0, 1, 2 to 3, 4 to 7 …
        total: The sum of the values.
        largest: The largest value.

    Returns:
        ``buckets`` (``[low, high, count]``; ``high`` is not included; from the first to the last one that is not
        empty), ``count``, ``p50``, ``p99``, ``total`` and ``max``. Percentiles are interpolated within a bucket.
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
    """Return the value below which a share of the counts lies, interpolated within its bucket; 0 without counts."""
    wanted = share * sum(count for _, _, count in buckets)
    below = 0
    for low, high, count in buckets:
        if count and below + count >= wanted:
            width = min(high, max(largest, low)) - low
            return round(low + width * (wanted - below) / count, 1)
        below += count
    return 0.0


def merge(histograms: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return several histograms added up."""
    slots = [0] * 64
    for histogram in histograms:
        for low, _, count in histogram["buckets"]:
            slots[int(low).bit_length()] += count
    largest = max((histogram["max"] for histogram in histograms), default=0)
    return from_slots(slots, sum(histogram["total"] for histogram in histograms), largest)


def lines(by: dict[str, dict[str, Any]], rows: int = ROWS) -> list[str]:
    """Return histograms as text, one line each, those with the largest sum first.

    Args:
        by: Histograms by name.
        rows: Most names with a line of their own.
    """
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
    """Return a figure with three digits, for example 12375 as 12.4k."""
    for limit, sign in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (limit if limit != 1e4 else 1e3):.3g}{sign}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
