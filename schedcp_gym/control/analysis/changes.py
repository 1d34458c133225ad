"""Detect when a workload has changed so much during its run that it should be analysed again.

A run is a series of windows. For each metric, the windows are cut into two parts where that explains most of the
variance (least squares), and the parts are cut again, down to a minimum length. Then neighbours are joined if their
medians differ by less than the thresholds, or by less than the noise. The remaining cuts are changes. Because of the
medians and the minimum length, single unusual windows, the start and the end of a run do not count as changes.

There are changes of load, such as the tail of a batch, where 40 running tasks become one; and changes of behaviour,
where the tasks' bursts and wake-ups change.
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
from schedcp_gym.spec.errors import first_fault

#: Limit of burst lengths. If hardly any task sleeps in a window, the length of bursts is not known; they are long.
LONG_BURST_US = 8000.0
THRESHOLDS = Path(__file__).with_name("changes.yaml")


class Aspect(enum.StrEnum):
    """The aspect of a workload that a metric describes."""

    LOAD = "load"  # the number of tasks
    BEHAVIOUR = "behaviour"  # what a task does


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Threshold:
    """The least change of a metric that counts.

    Attributes:
        factor: The larger value must be this many times the smaller one.
        floor: The values must differ by this much, in the metric's unit.
        of: The aspect that the metric describes.
    """

    factor: Annotated[float, Field(gt=1)]
    floor: Annotated[float, Field(gt=0)]
    of: Aspect = Aspect.LOAD


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Thresholds:
    """The rules for changes.

    Attributes:
        metrics: Thresholds by metric. Other metrics are ignored.
        least_share: Each part must have this share of the series.
        least_windows: Each part must have this many windows.
        noise: The difference must be this many times the spread within the parts.
    """

    metrics: dict[str, Threshold] = Field(min_length=1)
    least_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    least_windows: Annotated[int, Field(ge=2)] = 5
    noise: Annotated[float, Field(ge=0)] = 3.0


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Series:
    """A run as windows of equal length.

    Attributes:
        window_s: Length of a window, in seconds.
        metrics: By metric, one value for each window.
    """

    window_s: Annotated[float, Field(gt=0)]
    metrics: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Change:
    """A lasting change of a metric.

    Attributes:
        at_s: Time of the change, in seconds from the series' start.
        metric: Name of the metric.
        before: Median from the previous change to this one.
        after: Median from this change to the next.
        of: The aspect that the metric describes.
    """

    at_s: float
    metric: str
    before: float
    after: float
    of: Aspect = Aspect.LOAD


def load_thresholds(path: Path = THRESHOLDS) -> Thresholds:
    """Return the thresholds in a YAML file.

    Raises:
        BadInput: The file is missing or invalid.
    """
    try:
        return TypeAdapter(Thresholds).validate_python(yaml.safe_load(path.read_text()))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"{path}: {str(error).splitlines()[0]}") from None
    except ValidationError as error:
        raise BadInput(f"{path}: {first_fault(error)}") from None


def series_of(trace: Trace) -> Series:
    """Return a traced run as a series, without its last, shorter window."""
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
    """Return the changes in a series, in the order of time.

    Raises:
        BadInput: There is a threshold for a metric that the series does not have.
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
    """Return the places of all cuts: cut a series, then its parts, as long as they are long enough."""
    cut = _best_cut(values, least)
    if cut is None:
        return []
    return [*_divide(values[:cut], offset, least), offset + cut, *_divide(values[cut:], offset + cut, least)]


def _unite(values: Sequence[float], edges: list[int], threshold: Threshold, noise: float) -> None:
    """Remove the edges that are not changes, the weakest first, because a removal can make other edges stronger."""
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
    """Return the size of a change, relative to the least one that counts."""
    low, high = sorted((statistics.median(before), statistics.median(after)))
    spread = max(_spread(before), _spread(after))
    least = max(threshold.floor, noise * spread, low * (threshold.factor - 1))
    return (high - low) / least


def _best_cut(values: Sequence[float], least: int) -> int | None:
    """Return the cut whose two means explain the most variance; None if the parts would be too short."""
    total, count = sum(values), len(values)
    best, where, head = 0.0, None, 0.0
    for cut in range(1, count):
        head += values[cut - 1]
        gain = cut * (count - cut) / count * (head / cut - (total - head) / (count - cut)) ** 2
        if least <= cut <= count - least and gain > best:
            best, where = gain, cut
    return where


def _spread(values: Sequence[float]) -> float:
    """Return an estimate of the standard deviation that a few unusual windows do not change."""
    middle = statistics.median(values)
    return 1.4826 * statistics.median(abs(value - middle) for value in values)
