"""Change detection: when a workload's behaviour has changed so much that it should be analysed anew.

A run comes as a series of windows. For each metric the windows are divided where that explains most (least squares),
the parts again, down to a least length. Then neighbours are united whose medians differ by less than the thresholds,
or by less than the noise; the edges that are left are changes. Medians, and parts of some length, keep single odd
windows, the start and the end of a run from counting.

A batch's tail is a change, of load: that 40 tasks became one is what a scheduler should know, whatever the reason.
A change of phase is one of behaviour too: bursts and wake-ups are of another kind.
"""

import enum
import itertools
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from schedcp_gym.control.analysis.trace import Trace
from schedcp_gym.spec import BadInput

#: Windows in which hardly anybody sleeps can't tell how long bursts are; from here on they are all long.
LONG_BURST_US = 8000.0
THRESHOLDS = Path(__file__).with_name("changes.yaml")


class Aspect(enum.StrEnum):
    """What of a workload a metric tells of."""

    LOAD = "load"  # how many tasks there are
    BEHAVIOUR = "behaviour"  # what a task does


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Threshold:
    """How much a metric must change: by a factor, and by a difference in its own unit.

    Attributes:
        factor: How many times the smaller value the larger must be.
        floor: By how much they must differ.
        of: What the metric tells of.
    """

    factor: Annotated[float, Field(gt=1)]
    floor: Annotated[float, Field(gt=0)]
    of: Aspect = Aspect.LOAD


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Thresholds:
    """What counts as a change.

    Attributes:
        metrics: Metric → threshold; others are not looked at.
        least_share: Share of the series that must lie on either side.
        least_windows: Windows that must.
        noise: How many times the spread within the sides the difference must be.
    """

    metrics: dict[str, Threshold] = Field(min_length=1)
    least_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    least_windows: Annotated[int, Field(ge=2)] = 5
    noise: Annotated[float, Field(ge=0)] = 3.0


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Series:
    """A run as windows of equal length; all metrics have as many values.

    Attributes:
        window_s: Length of a window.
        metrics: Metric → a value a window.
    """

    window_s: Annotated[float, Field(gt=0)]
    metrics: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Change:
    """A metric that changed for good, or for long.

    Attributes:
        at_s: When, counted from the series' start.
        metric: Which.
        before: Its median before, back to the last change.
        after: Its median after, up to the next.
        of: What it tells of.
    """

    at_s: float
    metric: str
    before: float
    after: float
    of: Aspect = Aspect.LOAD


def load_thresholds(path: Path = THRESHOLDS) -> Thresholds:
    """Reads thresholds from a YAML file.

    Raises:
        BadInput: The file is missing or wrong.
    """
    try:
        return TypeAdapter(Thresholds).validate_python(yaml.safe_load(path.read_text()))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"{path}: {str(error).splitlines()[0]}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def series_of(trace: Trace) -> Series:
    """A traced run as a series; the last, shorter window is left out."""
    whole = trace.windows[: max(1, trace.lasted_us // trace.window_us)]
    seconds = trace.window_us / 1e6
    return Series(
        window_s=seconds,
        metrics={
            "waiting_tasks": tuple(window.waiting_us / trace.window_us for window in whole),
            "running_cpus": tuple(window.running_us / trace.window_us for window in whole),
            "wakes_per_s": tuple(window.wakes / seconds for window in whole),
            "preemptions_per_s": tuple(window.preemptions / seconds for window in whole),
            "wait_us": tuple(window.wait_us / (window.waits or 1) for window in whole),
            "burst_us": tuple(min(LONG_BURST_US, window.running_us / (window.sleeps or 1)) for window in whole),
        },
    )


def detect(series: Series, thresholds: Thresholds) -> list[Change]:
    """The changes in a series, in the order of time.

    Raises:
        BadInput: A threshold is for a metric that the series has not.
    """
    changes = []
    for metric, threshold in thresholds.metrics.items():
        if metric not in series.metrics:
            raise BadInput(f"no metric {metric!r} in the series; it has: {', '.join(sorted(series.metrics))}")
        values = series.metrics[metric]
        least = max(thresholds.least_windows, round(thresholds.least_share * len(values)))
        edges = [0, *_divide(values, 0, least), len(values)]
        _unite(values, edges, threshold, thresholds.noise)
        medians = [statistics.median(values[first:last]) for first, last in itertools.pairwise(edges)] if values else []
        changes += [
            Change(round(edge * series.window_s, 6), metric, before, after, threshold.of)
            for edge, (before, after) in zip(edges[1:-1], itertools.pairwise(medians), strict=True)
        ]
    return sorted(changes, key=lambda change: (change.at_s, change.metric))


def _divide(values: Sequence[float], offset: int, least: int) -> list[int]:
    """Cuts, and cuts the parts, for as long as they are long enough."""
    cut = _best_cut(values, least)
    if cut is None:
        return []
    return [*_divide(values[:cut], offset, least), offset + cut, *_divide(values[cut:], offset + cut, least)]


def _unite(values: Sequence[float], edges: list[int], threshold: Threshold, noise: float) -> None:
    """Takes away the edges that are no changes, the weakest first: what is left of it may make another one stronger."""
    while len(edges) > 2:
        strengths = {
            middle: _strength(values[first:middle], values[middle:last], threshold, noise)
            for first, middle, last in zip(edges, edges[1:], edges[2:], strict=False)
        }
        weakest = min(strengths, key=lambda edge: strengths[edge])
        if strengths[weakest] >= 1:
            return
        edges.remove(weakest)


def _strength(before: Sequence[float], after: Sequence[float], threshold: Threshold, noise: float) -> float:
    """How many times the least change that counts this one is."""
    low, high = sorted((statistics.median(before), statistics.median(after)))
    spread = max(_spread(before), _spread(after))
    least = max(threshold.floor, noise * spread, low * (threshold.factor - 1))
    return (high - low) / least


def _best_cut(values: Sequence[float], least: int) -> int | None:
    """Where to cut so that the two means explain the most; None when the parts would be too short."""
    total, count = sum(values), len(values)
    best, where, head = 0.0, None, 0.0
    for cut in range(1, count):
        head += values[cut - 1]
        gain = cut * (count - cut) / count * (head / cut - (total - head) / (count - cut)) ** 2
        if least <= cut <= count - least and gain > best:
            best, where = gain, cut
    return where


def _spread(values: Sequence[float]) -> float:
    """A standard deviation that a few odd windows do not move."""
    middle = statistics.median(values)
    return 1.4826 * statistics.median(abs(value - middle) for value in values)
