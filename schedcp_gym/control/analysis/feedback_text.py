"""Lines of a feedback, each with a weight: if the text gets too long, lines of the smallest weights are left out."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import ConfigDict, Field, TypeAdapter
from pydantic import dataclasses as checked

from schedcp_gym.control.analysis.differences import (
    ClassChange,
    MetricChange,
    class_changes_by_name,
    class_changes_traced,
)
from schedcp_gym.control.analysis.evidence import decisive_lines, reason_of
from schedcp_gym.control.analysis.report import Analysis
from schedcp_gym.spec import Direction, Measurement, Objective, Outcome, Workload, share_of_possible
from schedcp_gym.spec.cache_costs import CAUSES, MOVES, charged_s, total_costs

WORDS = Path(__file__).with_name("feedback.yaml")
#: Ratios no farther than this from 1 count as unchanged.
SAME = 0.02
#: The waiting of a class of tasks counts as changed if it differs by this share, and by this many milliseconds a task.
WAIT_CHANGE, WAIT_LEAST_MS = 0.1, 0.5
#: The CPU time of a class counts as changed if it differs by this share, and by this share of all CPU time.
CPU_CHANGE, CPU_LEAST_SHARE = 0.05, 0.01
#: Cache costs are explained if they differ from EEVDF's by this share of all CPU time.
CACHE_LEAST_SHARE = 0.01
#: Most classes, events, other metrics, and process names with cache costs in the text.
CLASSES, EVENTS, METRICS, CHARGED = 6, 5, 8, 2

Lines = list[tuple[float, str]]


@checked.dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class EventWords:
    """The meaning of a scheduler's event.

    Attributes:
        means: A sentence, with what to do about it.
        worry: The event is mentioned if it is more frequent than this, in 1/s.
        duration: Whether the event counts nanoseconds.
    """

    means: str
    worry: float = Field(default=0.0, ge=0)
    duration: bool = False


@checked.dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Words:
    """The meaning of events, outcomes and cache costs, by their names."""

    events: dict[str, EventWords]
    outcomes: dict[Outcome, str]
    costs: dict[str, str]


@functools.cache
def words() -> Words:
    """Return the meanings that ``feedback.yaml`` declares."""
    return TypeAdapter(Words).validate_python(yaml.safe_load(WORDS.read_text()))


@dataclass(frozen=True)
class Run:
    """One run of a workload under a policy.

    Attributes:
        policy: The policy's name, followed by the tunables that are set.
        measured: The measurement.
        summary: The summary of a traced run of the same trial; None without one. It shows how long tasks waited.
    """

    policy: str
    measured: Measurement
    summary: Analysis | None = None

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all processes."""
        return math.fsum(self.measured.cpu_s_by_name.values())


def class_changes(now: Run, eevdf: Run) -> list[ClassChange]:
    """Return the changes by class of tasks: from the traces if both runs have one, else from CPU time by name."""
    if now.summary is not None and eevdf.summary is not None:
        return class_changes_traced(eevdf.summary.data, now.summary.data)
    return class_changes_by_name(eevdf.measured.cpu_s_by_name, now.measured.cpu_s_by_name)


def verdict(workload: Workload, now: Run, last: Run | None, gained: float, before: float | None) -> str:
    """Return the first line: the reward, and whether it is better than the last policy's.

    Args:
        workload: The workload.
        now: The policy's run.
        last: The last policy's run; None without one.
        gained: The policy's reward.
        before: The last policy's reward; None without one.
    """
    if now.measured.ok:
        text = f"{_times(gained)} EEVDF (reward {gained:+.3f}: log of the ratio, above 0 is better)."
    elif now.measured.outcome is Outcome.INFRA_FAULT:
        text = f"{now.measured.outcome} (not scored)."
    else:
        text = f"{now.measured.outcome} (reward {gained:.2f}, the least)."
    text = f"{now.policy} on {workload.name}: {text}"
    if last is None or before is None:
        return text
    if not last.measured.ok:
        return f"{text} Last policy {last.policy}: {last.measured.outcome}."
    change = "as good as" if abs(gained - before) < 1e-9 else "better than" if gained > before else "worse than"
    return f"{text} That is {change} the last policy, {last.policy} ({_times(before)})."


def success_lines(
    workload: Workload,
    objective: Objective,
    now: Run,
    eevdf: Run,
    metrics: Sequence[MetricChange],
    classes: Sequence[ClassChange],
) -> Lines:
    """Return the lines about a run that ended well, in the order in which they are read.

    Args:
        workload: The workload.
        objective: The objective of the reward.
        now: The policy's run.
        eevdf: EEVDF's run.
        metrics: What changed by metric.
        classes: What changed by class of tasks.
    """
    return [
        (99.0, _floors(metrics)),
        *((98.0, _scored(workload, change)) for change in metrics if change.weight),
        (97.0, _possible(workload, objective, now, eevdf)),
        (80.0, _others(metrics)),
        (91.0, _cache_costs(now, eevdf)),
        *_ranked(90.0, _waits(classes) or _cpu_times(classes)),
        (70.0, _busy(now, eevdf)),
        *_ranked(75.0, _events(now.measured)),
    ]


def failure_lines(measured: Measurement) -> Lines:
    """Return the lines about a run that failed: the reason, the log's decisive lines, and what the outcome means."""
    busy = "" if measured.utilisation is None else f"CPUs busy until then: {100 * measured.utilisation:.0f} %."
    return [
        (99.0, f"Reason: {reason_of(measured) or 'none was given'}"),
        *_ranked(95.0, [f"| {line}" for line in decisive_lines(measured)]),
        (97.0, words().outcomes.get(measured.outcome, "")),
        (60.0, busy),
        *_ranked(50.0, _events(measured)),
    ]


def _ranked(weight: float, lines: Sequence[str]) -> Lines:
    """Return lines with weights, each one lower than the one before."""
    return [(weight - place, line) for place, line in enumerate(lines)]


def _floors(metrics: Sequence[MetricChange]) -> str:
    broken = [f"{one.name} {one.ratio:.2f}x, at least {one.floor:g}x" for one in metrics if one.breaks_floor]
    return f"Floor broken, so nothing else earns any reward: {'; '.join(broken)}." if broken else ""


def _scored(workload: Workload, change: MetricChange) -> str:
    metric = workload.metrics[change.name]
    way = "less" if metric.direction is Direction.MINIMIZE else "more"
    share = "" if change.weight > 0.999 else f", {100 * change.weight:.0f} % of the objective"
    last = "" if change.last_ratio is None else f", {change.last_ratio:.2f}x the last policy"
    unit = "" if metric.unit == "1" else f" {metric.unit}"
    figures = _arrow((change.before, change.after))
    return f"{change.name}: {figures}{unit} ({way} is better{share}): {change.ratio:.2f}x EEVDF{last}."


def _possible(workload: Workload, objective: Objective, now: Run, eevdf: Run) -> str:
    share, was = (share_of_possible(workload, run.measured, objective) for run in (now, eevdf))
    if share is None or was is None:
        return ""
    return f"{100 * share:.1f} % of what is possible (EEVDF {100 * was:.1f} %)."


def _others(metrics: Sequence[MetricChange]) -> str:
    """Return the metrics outside the objective that changed, those that got worse first."""
    others = [change for change in metrics if not change.weight]
    others.sort(key=lambda change: -abs(math.log(change.ratio)))
    worse = [f"{change.name} {change.ratio:.2f}x" for change in others if change.ratio < 1 - SAME]
    better = [f"{change.name} {change.ratio:.2f}x" for change in others if change.ratio > 1 + SAME]
    groups = (("Also worse", worse), ("Also better", better))
    return " ".join(f"{head}: {', '.join(group[:METRICS])}." for head, group in groups if group)


def _cache_costs(now: Run, eevdf: Run) -> str:
    """Return the CPU time that cold caches, busy siblings and remote memory cost; empty without a cache model."""
    if not now.measured.caches:
        return ""
    costs, was = total_costs(now.measured.caches), total_costs(eevdf.measured.caches)
    spent, spent_was = charged_s(costs), charged_s(was)
    causes = ", ".join(f"{called} {_ms(costs[cause])}" for cause, called in CAUSES.items() if costs[cause] >= 0.0005)
    moves = ", ".join(
        f"{costs[move]:,.0f} to another {kind} ({was[move]:,.0f})"
        for move, kind in zip(MOVES, ("core", "LLC", "node"), strict=True)
        if costs[move] or was[move]
    )
    ranked = sorted(now.measured.caches.items(), key=lambda item: -charged_s(item[1]))
    most = ", ".join(f"{name} {_ms(charged_s(each))}" for name, each in ranked[:CHARGED] if charged_s(each) >= 0.0005)
    text = (
        f"Cache costs: {_ms(spent)} of CPU time{_share(spent, now)}; EEVDF {_ms(spent_was)}{_share(spent_was, eevdf)}. "
        f"{f'By cause: {causes}. ' if causes else ''}{f'By name: {most}. ' if most else ''}"
        f"Moves (EEVDF in brackets): {moves or 'none'}."
    )
    more = spent - spent_was
    if more > CACHE_LEAST_SHARE * eevdf.cpu_s:
        cause = max(CAUSES, key=lambda each: costs[each] - was[each])
        total = f" (CPU time of all tasks: {_ms(now.cpu_s - eevdf.cpu_s)} more)" if now.cpu_s > eevdf.cpu_s else ""
        text += f" That is {_ms(more)} more than under EEVDF{total}, mostly {CAUSES[cause]}: {words().costs[cause]}"
    elif -more > CACHE_LEAST_SHARE * eevdf.cpu_s:
        text += f" That is {_ms(-more)} less than under EEVDF."
    return text


def _share(cost_s: float, run: Run) -> str:
    return f" ({100 * cost_s / run.cpu_s:.1f} %)" if run.cpu_s > 0 else ""


def _waits(classes: Sequence[ClassChange]) -> list[str]:
    """Return the classes of tasks that wait more, and those that wait less; empty without traces."""
    moved = []
    for change in classes:
        if change.wait_ms is not None:
            was, now = change.wait_ms
            if abs(now - was) > max(WAIT_CHANGE * max(was, now), WAIT_LEAST_MS):
                moved.append((now - was, _wait_text(change)))
    moved.sort(key=lambda pair: -abs(pair[0]))
    lost = [text for by_ms, text in moved[:CLASSES] if by_ms > 0]
    won = [text for by_ms, text in moved[:CLASSES] if by_ms < 0]
    groups = (("Lost (wait more for a CPU)", lost), ("Won (wait less for a CPU)", won))
    return [f"{head}: {'; '.join(group)}." for head, group in groups if group]


def _wait_text(change: ClassChange) -> str:
    assert change.wait_ms is not None
    assert change.p99_wait_ms is not None
    assert change.end_s is not None
    count, each, longest = (f"{change.tasks} ", " each", "p99") if change.tasks > 1 else ("", "", "longest")
    return (
        f"{count}{change.label}: {_arrow(change.wait_ms)} ms{each} in all, {longest} {_arrow(change.p99_wait_ms)} ms, "
        f"ended after {_arrow(change.end_s)} s"
    )


def _cpu_times(classes: Sequence[ClassChange]) -> list[str]:
    """Return the classes whose CPU time changed; empty if there are traces, which show more."""
    if any(change.wait_ms for change in classes):
        return []
    total = math.fsum(change.cpu_s[0] for change in classes)
    changed = [
        f"{change.label} {change.cpu_s[0]:.2f} -> {change.cpu_s[1]:.2f} s"
        for change in classes
        if abs(change.cpu_s[1] - change.cpu_s[0]) > max(CPU_CHANGE * change.cpu_s[0], CPU_LEAST_SHARE * total)
    ]
    return [f"CPU time changed (the work is the same): {'; '.join(changed[:CLASSES])}."] if changed else []


def _busy(now: Run, eevdf: Run) -> str:
    if now.measured.utilisation is None or eevdf.measured.utilisation is None:
        return ""
    spent = (
        f", CPU time of all tasks {now.cpu_s / eevdf.cpu_s:.3f}x EEVDF's" if now.cpu_s > 0 and eevdf.cpu_s > 0 else ""
    )
    return f"CPUs busy {100 * now.measured.utilisation:.1f} % (EEVDF {100 * eevdf.measured.utilisation:.1f} %){spent}."


def _events(measured: Measurement) -> list[str]:
    """Return the scheduler's events that are frequent enough to matter, with their meaning."""
    lasted_s = measured.job_s or 1.0
    unknown = EventWords(means="an event of a newer kernel.")
    found = [(words().events.get(name, unknown), name, count) for name, count in measured.events.items()]
    lines = []
    for known, name, count in sorted(found, key=lambda event: (event[0].worry, -event[2])):
        if known.duration or count / lasted_s > known.worry:
            amount = f"{count / 1e6:.1f} ms" if known.duration else f"{count} times"
            lines.append(f"Event {name.removeprefix('SCX_EV_')}, {amount}: {known.means}")
    return lines[:EVENTS]


def _times(log_ratio: float) -> str:
    return f"{math.exp(log_ratio):.2f}x"


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:,.0f} ms"


def _arrow(pair: tuple[float, float]) -> str:
    return f"{_figure(pair[0])} -> {_figure(pair[1])}"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
