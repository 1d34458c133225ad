"""Tier 3: what a policy changed on a workload, for who writes the next one. The weightiest comes first."""

import dataclasses
import functools
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from schedcp_gym.control.analysis.differences import (
    ClassChange,
    MetricChange,
    class_changes_by_name,
    class_changes_traced,
    metric_changes,
)
from schedcp_gym.control.analysis.evidence import decisive_lines, reason_of
from schedcp_gym.control.analysis.report import Analysis, Tier
from schedcp_gym.llm import tokens
from schedcp_gym.spec import Direction, Measurement, Objective, Outcome, Workload, reward, share_of_possible
from schedcp_gym.spec.cache_costs import charged_s, cost_lines, total_costs

WORDS = Path(__file__).with_suffix(".yaml")
#: A feedback is shorter than this; what weighs least is left out.
TOKEN_LIMIT = 400
#: What is not more than this away from 1 did not change.
SAME = 0.02
#: A class won or lost when its tasks' waiting changed by this, and by so many milliseconds each.
WAIT_CHANGE, WAIT_LEAST_MS = 0.1, 0.5
#: A class's CPU time changed when it did by this, and by this share of all.
CPU_CHANGE, CPU_LEAST_SHARE = 0.05, 0.01
CLASSES, EVENTS, METRICS = 6, 5, 8


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class EventWords:
    """What an event means.

    Attributes:
        means: In a sentence, with what to do about it.
        worry: How many per second are worth a word.
        duration: Whether it counts nanoseconds.
    """

    means: str
    worry: float = Field(default=0.0, ge=0)
    duration: bool = False


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Words:
    """What events and outcomes mean, by their names."""

    events: dict[str, EventWords]
    outcomes: dict[Outcome, str]


@dataclasses.dataclass(frozen=True)
class Run:
    """A policy on a workload, once.

    Attributes:
        policy: Its name, with its tunables where it has any.
        measured: What it gave.
        summary: The summary of a traced run of the same trial, where there is one: it knows who waited.
    """

    policy: str
    measured: Measurement
    summary: Analysis | None = None


@functools.cache
def words() -> Words:
    """The declared meanings."""
    return TypeAdapter(Words).validate_python(yaml.safe_load(WORDS.read_text()))


def feed_back(
    workload: Workload,
    now: Run,
    eevdf: Run,
    last: Run | None = None,
    *,
    objective: Objective | None = None,
    limit: int = TOKEN_LIMIT,
) -> Analysis:
    """Says what a policy changed against EEVDF, and against the policy before it.

    Args:
        workload: On what.
        now: The policy's run.
        eevdf: The kernel's own scheduler's, on the same workload, machine and seed.
        last: The last policy's run; None if this is the first.
        objective: Replaces the workload's own.
        limit: Tokens that the text stays below.

    Raises:
        ValueError: EEVDF's measurement is not ok: there is nothing to compare with.
    """
    began = time.monotonic()
    objective = objective or workload.objective
    gained = reward(workload, now.measured, eevdf.measured, objective)
    before = None if last is None else reward(workload, last.measured, eevdf.measured, objective)
    data: dict[str, Any]
    if now.measured.ok:
        metrics = metric_changes(workload, objective, now.measured, eevdf.measured, last.measured if last else None)
        classes = _classes(now, eevdf)
        lines = _success(workload, objective, now, eevdf, metrics, classes)
        data = {
            "metrics": [dataclasses.asdict(change) for change in metrics],
            "classes": [dataclasses.asdict(change) for change in classes],
        }
    else:
        lines = _failure(now)
        data = {"reason": reason_of(now.measured), "evidence": decisive_lines(now.measured)}
    lines.insert(0, (100, _verdict(workload, now, last, gained, before)))
    text = _within(lines, limit)
    return Analysis(
        tier=Tier.FEEDBACK,
        name="feedback",
        workload=workload.name,
        text=text,
        data={
            "policy": now.policy,
            "outcome": now.measured.outcome.value,
            "reward": gained,
            "last_reward": before,
            "events": now.measured.events,
            **({"caches": now.measured.caches} if now.measured.caches else {}),
            **data,
        },
        tokens=tokens.count(text),
        host_s=round(time.monotonic() - began, 3),
        guest_s=now.measured.job_s or 0.0,
        digests=now.measured.digests,
    )


def _verdict(workload: Workload, now: Run, last: Run | None, gained: float, before: float | None) -> str:
    head = f"{now.policy} on {workload.name}: "
    if not now.measured.ok:
        scored = "not scored" if now.measured.outcome is Outcome.INFRA_FAULT else f"reward {gained:.2f}, the least"
        verdict = f"{now.measured.outcome} ({scored})."
    else:
        verdict = f"{_times(gained)} EEVDF (reward {gained:+.3f}: log of the ratio, above 0 is better)."
    if last is None or before is None:
        return head + verdict
    if not last.measured.ok:
        return f"{head}{verdict} Last policy {last.policy}: {last.measured.outcome}."
    change = "as good as" if abs(gained - before) < 1e-9 else "better than" if gained > before else "worse than"
    return f"{head}{verdict} That is {change} the last policy, {last.policy} ({_times(before)})."


def _success(
    workload: Workload,
    objective: Objective,
    now: Run,
    eevdf: Run,
    metrics: Sequence[MetricChange],
    classes: Sequence[ClassChange],
) -> list[tuple[float, str]]:
    lines = [(99.0, _floors(metrics))]
    lines += [(98.0, _scored(workload, change)) for change in metrics if change.weight]
    lines.append((97.0, _possible(workload, objective, now, eevdf)))
    lines.append((80.0, _others(metrics)))
    lines += [(90.0 - place, line) for place, line in enumerate(_class_lines(classes))]
    lines.append((70.0, _busy(now, eevdf)))
    lines.append((85.0, _caches(now, eevdf)))
    lines += [(75.0 - place, line) for place, line in enumerate(_event_lines(now))]
    return lines


def _caches(now: Run, eevdf: Run) -> str:
    """Return what cold caches cost under both; empty on a machine without a cache model."""
    if not now.measured.caches:
        return ""
    told = []
    for run in (now, eevdf):
        costs = total_costs(run.measured.caches)
        moves = f"{costs['core_moves']:,.0f} moves, {costs['llc_moves']:,.0f} to another LLC"
        told.append(f"{1e3 * charged_s(costs):.0f} ms ({moves})")
    most = " | ".join(cost_lines(now.measured.caches, 2))
    return f"Charged for cold caches: {told[0]}; EEVDF {told[1]}. Most: {most}"


def _failure(now: Run) -> list[tuple[float, str]]:
    measured = now.measured
    lines = [(99.0, f"Reason: {reason_of(measured) or 'none was given'}")]
    lines += [(95.0 - place, f"| {line}") for place, line in enumerate(decisive_lines(measured))]
    lines.append((97.0, words().outcomes.get(measured.outcome, "")))
    if measured.utilisation is not None:
        lines.append((60.0, f"CPUs busy until then: {100 * measured.utilisation:.0f} %."))
    return lines + [(50.0 - place, line) for place, line in enumerate(_event_lines(now))]


def _within(lines: Sequence[tuple[float, str]], limit: int) -> str:
    kept = [(weight, place, line) for place, (weight, line) in enumerate(lines) if line]
    while tokens.count(text := "\n".join(line for _, _, line in kept)) >= limit and len(kept) > 1:
        kept.remove(min(kept, key=lambda entry: (entry[0], -entry[1])))
    return text


def _floors(metrics: Sequence[MetricChange]) -> str:
    broken = [
        f"{change.name} {change.ratio:.2f}x, at least {change.floor:g}x" for change in metrics if change.breaks_floor
    ]
    return f"Floor broken, so nothing else earns any reward: {'; '.join(broken)}." if broken else ""


def _scored(workload: Workload, change: MetricChange) -> str:
    metric = workload.metrics[change.name]
    way = "less" if metric.direction is Direction.MINIMIZE else "more"
    share = "" if change.weight > 0.999 else f", {100 * change.weight:.0f} % of the objective"
    last = "" if change.last_ratio is None else f", {change.last_ratio:.2f}x the last policy"
    unit = "" if metric.unit == "1" else f" {metric.unit}"
    return (
        f"{change.name}: {_figure(change.before)} -> {_figure(change.after)}{unit} "
        f"({way} is better{share}): {change.ratio:.2f}x EEVDF{last}."
    )


def _possible(workload: Workload, objective: Objective, now: Run, eevdf: Run) -> str:
    share, was = (share_of_possible(workload, run.measured, objective) for run in (now, eevdf))
    if share is None or was is None:
        return ""
    return f"{100 * share:.1f} % of what is possible (EEVDF {100 * was:.1f} %)."


def _others(metrics: Sequence[MetricChange]) -> str:
    others = sorted(
        (change for change in metrics if not change.weight), key=lambda change: -abs(math.log(change.ratio))
    )
    better = [change for change in others if change.ratio > 1 + SAME]
    worse = [change for change in others if change.ratio < 1 - SAME]
    parts = [
        f"{head}: {', '.join(f'{change.name} {change.ratio:.2f}x' for change in group[:METRICS])}."
        for head, group in (("Also worse", worse), ("Also better", better))
        if group
    ]
    return " ".join(parts)


def _classes(now: Run, eevdf: Run) -> list[ClassChange]:
    if now.summary is not None and eevdf.summary is not None:
        return class_changes_traced(eevdf.summary.data, now.summary.data)
    return class_changes_by_name(eevdf.measured.cpu_s_by_name, now.measured.cpu_s_by_name)


def _class_lines(classes: Sequence[ClassChange]) -> list[str]:
    """Who waits less, who waits more; where nobody looked, whose CPU time changed."""
    if any(change.wait_ms for change in classes):
        moved = [(change, change.wait_ms[1] - change.wait_ms[0]) for change in classes if change.wait_ms]
        moved = [(change, by) for change, by in moved if _waits_otherwise(change)]
        moved.sort(key=lambda pair: -abs(pair[1]))
        lost = [_wait_text(change) for change, by in moved[:CLASSES] if by > 0]
        won = [_wait_text(change) for change, by in moved[:CLASSES] if by < 0]
        heads = (("Lost (wait more for a CPU)", lost), ("Won (wait less for a CPU)", won))
        return [f"{head}: {'; '.join(group)}." for head, group in heads if group]
    total = sum(change.cpu_s[0] for change in classes)
    more = [
        f"{change.label} {change.cpu_s[0]:.2f} -> {change.cpu_s[1]:.2f} s"
        for change in classes
        if abs(change.cpu_s[1] - change.cpu_s[0]) > max(CPU_CHANGE * change.cpu_s[0], CPU_LEAST_SHARE * total)
    ]
    return [f"CPU time changed (the work is the same): {'; '.join(more[:CLASSES])}."] if more else []


def _waits_otherwise(change: ClassChange) -> bool:
    assert change.wait_ms is not None
    was, now = change.wait_ms
    return abs(now - was) > max(WAIT_CHANGE * max(was, now), WAIT_LEAST_MS)


def _wait_text(change: ClassChange) -> str:
    assert change.wait_ms is not None
    assert change.p99_wait_ms is not None
    assert change.end_s is not None
    each = " each" if change.tasks > 1 else ""
    count = f"{change.tasks} " if change.tasks > 1 else ""
    longest = "p99" if change.tasks > 1 else "longest"
    return (
        f"{count}{change.label}: {_arrow(change.wait_ms)} ms{each} in all, {longest} {_arrow(change.p99_wait_ms)} ms, "
        f"over after {_arrow(change.end_s)} s"
    )


def _busy(now: Run, eevdf: Run) -> str:
    if now.measured.utilisation is None or eevdf.measured.utilisation is None:
        return ""
    spent, was = (math.fsum(run.measured.cpu_s_by_name.values()) for run in (now, eevdf))
    used = f", CPU time of all tasks {_times(math.log(spent / was), 3)} EEVDF's" if spent > 0 and was > 0 else ""
    return f"CPUs busy {100 * now.measured.utilisation:.1f} % (EEVDF {100 * eevdf.measured.utilisation:.1f} %){used}."


def _event_lines(now: Run) -> list[str]:
    """The scheduler's events that are worth a word; what they mean."""
    lasted_s = now.measured.job_s or 1.0
    lines = []
    unknown = EventWords(means="an event of a newer kernel.")
    found = [(words().events.get(name, unknown), name, count) for name, count in now.measured.events.items()]
    for known, name, count in sorted(found, key=lambda event: (event[0].worry, -event[2])):
        if known.duration:
            count_text, often = f"{count / 1e6:.1f} ms", math.inf
        else:
            count_text, often = f"{count} times", count / lasted_s
        if often > known.worry:
            lines.append(f"Event {name.removeprefix('SCX_EV_')}, {count_text}: {known.means}")
    return lines[:EVENTS]


def _times(log_ratio: float, digits: int = 2) -> str:
    return f"{math.exp(log_ratio):.{digits}f}x"


def _arrow(pair: tuple[float, float]) -> str:
    return f"{_figure(pair[0])} -> {_figure(pair[1])}"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
