"""Divide a run into parts where it changes, describe each part, and say whether a new analysis is needed."""

import dataclasses
import itertools
import statistics
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter

from schedcp_gym.control.analysis.changes import Aspect, Change, Series, Thresholds, detect, load_thresholds, series_of
from schedcp_gym.control.analysis.histogram import short
from schedcp_gym.control.analysis.report import Analysis
from schedcp_gym.control.analysis.trace import Trace
from schedcp_gym.llm import tokens

#: Most parts and changes in the text. The data has all.
PARTS, CHANGES = 10, 3


def divide(summary: Analysis) -> Analysis:
    """Divide a run into parts where it changes.

    A new analysis is needed after a change of behaviour (other bursts and wake-ups), because results from one part say
    little about the next. It is not needed after a change of load alone, for example in the tail of a batch.

    ``data`` is ``{"analyse_anew", "changes": [{"at_s", "metric", "before", "after", "of"}, …], "parts": [{"from_s",
    "to_s", "behaviour", "medians": {metric: value}}, …]}``; ``behaviour`` is true if the part begins with a change of
    behaviour.

    Args:
        summary: The result of :func:`~schedcp_gym.control.analysis.summary.summarise`.
    """
    thresholds = load_thresholds()
    trace = TypeAdapter(Trace).validate_python(summary.data["trace"])
    series = series_of(trace)
    changes = detect(series, thresholds)
    parts = _parts(series, changes, thresholds)
    parts[-1]["to_s"] = round(trace.lasted_us / 1e6, 6)
    text = _text(summary.workload, changes, parts)
    return dataclasses.replace(
        summary,
        name="changes",
        text=text,
        data={
            "analyse_anew": any(change.of is Aspect.BEHAVIOUR for change in changes),
            "changes": TypeAdapter(list[Change]).dump_python(changes, mode="json"),
            "parts": parts,
        },
        tokens=tokens.count(text),
    )


def _parts(series: Series, changes: Sequence[Change], thresholds: Thresholds) -> list[dict[str, Any]]:
    """Return the parts of the run between changes. Changes close to each other count as one."""
    windows = len(next(iter(series.metrics.values())))
    edges: dict[int, bool] = {0: False}
    for change in changes:
        at, behaviour = round(change.at_s / series.window_s), change.of is Aspect.BEHAVIOUR
        last = max(edges)
        if at - last < thresholds.least_windows:
            edges[last] = edges[last] or behaviour
        else:
            edges[at] = behaviour
    return [
        {
            "from_s": round(first * series.window_s, 6),
            "to_s": round(end * series.window_s, 6),
            "behaviour": edges[first],
            "medians": {name: statistics.median(values[first:end]) for name, values in series.metrics.items()},
        }
        for first, end in itertools.pairwise([*edges, windows])
    ]


def _text(workload: str, changes: Sequence[Change], parts: Sequence[dict[str, Any]]) -> str:
    found = [change for change in changes if change.of is Aspect.BEHAVIOUR]
    if found:
        when = "; ".join(_change_text(change) for change in found[:CHANGES])
        verdict = f"the behaviour changes, so analyse it again after that: {when}."
    elif changes:
        verdict = "only the load changes, not the tasks' behaviour: one analysis is valid for the whole run."
    else:
        verdict = "no lasting change: one analysis is valid for the whole run."
    lines = [f"{workload}: {verdict}"]
    if len(parts) > 1:
        lines.append("Parts of the run, with medians over their windows:")
        lines += [_part_text(part) for part in parts[:PARTS]]
    if len(parts) > PARTS:
        lines.append(f"({len(parts) - PARTS} more parts)")
    return "\n".join(lines)


def _change_text(change: Change) -> str:
    return f"at {change.at_s:.2f} s {change.metric} from {short(change.before)} to {short(change.after)}"


def _part_text(part: dict[str, Any]) -> str:
    figures = ", ".join(f"{name} {short(value)}" for name, value in part["medians"].items())
    return f"{part['from_s']:.2f} to {part['to_s']:.2f} s: {figures}"
