"""Tier 1: what a workload does, from one traced run, in a few hundred tokens."""

import shlex
import time
from typing import Any

from pydantic import TypeAdapter

from schedcp_gym.control.analysis import tokens
from schedcp_gym.control.analysis.groups import Group, group, wakes
from schedcp_gym.control.analysis.report import Analysis, Tier
from schedcp_gym.control.analysis.tail import Tail, find_tail, memory_peak_kib, most_at_once
from schedcp_gym.control.analysis.trace import Task, Trace
from schedcp_gym.control.analysis.traced_run import TracedRun, run_traced
from schedcp_gym.lab import Lab
from schedcp_gym.spec import Direction, Trial

#: A summary is shorter than this, whatever the workload.
TOKEN_LIMIT = 400
#: Groups, wake-ups and outliers with a line or place of their own, at most.
GROUPS, WAKES, OUTLIERS = 8, 6, 3
ARGS_CHARS, COMMAND_CHARS, TITLE_CHARS = 60, 100, 100
#: Groups with less of the CPU time than this are left for the last, and named together.
SMALL_SHARE = 0.01


def summarise(lab: Lab, trial: Trial) -> Analysis:
    """Runs a trial under the tracer and sums up what it does.

    Raises:
        SchedcpError: The trial did not end well, or the host failed.
    """
    began = time.monotonic()
    run = run_traced(lab, trial)
    text = write(trial, run)
    return Analysis(
        tier=Tier.SUMMARY,
        name="summary",
        workload=trial.workload.name,
        text=text,
        data=data(run),
        tokens=tokens.count(text),
        host_s=round(time.monotonic() - began, 3),
        guest_s=run.measurement.job_s or 0.0,
        digests=run.measurement.digests,
    )


def data(run: TracedRun) -> dict[str, Any]:
    """All figures behind the text, and the workload's metrics in this run."""
    groups = group(run.trace)
    tail = find_tail(run.trace)
    return {
        "metrics": run.measurement.metrics,
        "events": run.measurement.events,
        "trace": TypeAdapter(Trace).dump_python(run.trace, mode="json"),
        "groups": [_group_data(found, run.trace) for found in groups],
        "wakes": [{"waker": waker, "wakee": wakee, "count": count} for waker, wakee, count in wakes(run.trace, groups)],
        "tail": TypeAdapter(Tail).dump_python(tail, mode="json") if tail else None,
        "memory_peak_kib": memory_peak_kib(run.trace),
    }


def _group_data(found: Group, trace: Trace) -> dict[str, Any]:
    return {
        "label": found.label,
        "kind": found.kind,
        "own_names": found.own_names,
        "tasks": [task.slot for task in found.tasks],
        "outliers": [task.slot for task in found.outliers(trace.run_us)],
        "run_us": found.run_us,
        "p50_burst_us": found.burst_us(0.5),
        "p99_burst_us": found.burst_us(0.99),
        "p50_wait_us": found.waited_us(0.5),
        "p99_wait_us": found.waited_us(0.99),
    }


def write(trial: Trial, run: TracedRun, limit: int = TOKEN_LIMIT) -> str:
    """The text, shorter than the limit: what weighs least is left out first."""
    trace = run.trace
    groups = group(trace)
    shown = [found for found in groups if found.run_us >= SMALL_SHARE * trace.run_us][:GROUPS]
    # Lines in the order in which they are read, with how much each weighs.
    lines = [
        (100, _head(trial, trace)),
        (99, _goals(trial, run.measurement.metrics)),
        (98, _cpus(trace)),
        (97, _tail(trace)),
        *_group_lines(shown, trace),
        (20, _rest(groups, shown, trace)),
        (80, _wakes(trace, groups)),
        (70, _rates(trace)),
        (60, _processes(trace)),
        (95, f"(The tracer had no room for {trace.dropped} further tasks.)" if trace.dropped else ""),
    ]
    kept = [(weight, place, line) for place, (weight, line) in enumerate(lines) if line]
    while tokens.count(text := "\n".join(line for _, _, line in kept)) >= limit and len(kept) > 1:
        kept.remove(min(kept, key=lambda entry: (entry[0], -entry[1])))
    return text


def _head(trial: Trial, trace: Trace) -> str:
    title = _cut(trial.workload.title, TITLE_CHARS)
    return (
        f"{_cut(trial.workload.name, 40)}: {title}. {trial.scale}, seed {trial.seed}, under {_cut(trial.policy.name, 40)}: "
        f"{_s(trace.lasted_us)} on {len(trace.cpus)} CPUs."
    )


def _goals(trial: Trial, metrics: dict[str, float]) -> str:
    objective = trial.workload.objective
    parts = []
    for name in list(objective.weights)[:3]:
        way = "less" if trial.workload.metrics[name].direction is Direction.MINIMIZE else "more"
        parts.append(f"{name} {_figure(metrics[name])} ({way} is better)")
    if objective.bound and objective.bound in metrics:
        parts.append(f"best possible {_figure(metrics[objective.bound])}")
    return f"Objective: {', '.join(parts)}."


def _cpus(trace: Trace) -> str:
    busy = ", ".join(f"{_percent(cpu.traced_us, trace.lasted_us)} %" for cpu in trace.cpus[:8])
    idle = [_percent(spent, trace.lasted_us) for spent in trace.running_us]
    all_busy = sum(idle[len(trace.cpus) :])
    lengths = sum(trace.waiting_us) or 1
    mean = sum(length * spent for length, spent in enumerate(trace.waiting_us)) / lengths
    half, median = 0, 0
    for median, spent in enumerate(trace.waiting_us):
        half += spent
        if 2 * half >= lengths:
            break
    return (
        f"CPUs busy {busy}; all busy {all_busy} % of the time. Ready tasks without a CPU: mean {mean:.1f}, "
        f"median {median}, most {trace.most_waiting}."
    )


def _tail(trace: Trace) -> str:
    tail = find_tail(trace)
    if tail is None:
        return ""
    who = [trace.by_slot[slot] for slot in tail.tasks]
    names = ", ".join(task.name for task in who[:OUTLIERS])
    held = f", held by {names}" if who else ""
    return (
        f"Tail: in the last {_s(tail.lasted_us)} ({_percent(tail.lasted_us, trace.lasted_us)} % of the run) only "
        f"{tail.busy_cpus:.1f} of {len(trace.cpus)} CPUs busy, nobody waiting{held}."
    )


def _group_lines(groups: list[Group], trace: Trace) -> list[tuple[int, str]]:
    lines = []
    for place, found in enumerate(groups):
        lines.append((90 - place * 6, _group_line(found, trace)))
        lines += [
            (89 - place * 6 - rank, _outlier_line(task, found, trace))
            for rank, task in enumerate(found.outliers(trace.run_us)[:OUTLIERS])
        ]
    return lines


def _group_line(found: Group, trace: Trace) -> str:
    tasks, count = found.tasks, len(found.tasks)
    kind = found.kind if count == 1 else {"process": "processes", "fork": "forks", "thread": "threads"}[found.kind]
    label = f"{count} x {found.label}" if count > 1 else found.label
    names = f", own names ({', '.join(task.name for task in tasks[:2])} ...)" if found.own_names else ""
    each = [task.run_us for task in tasks]
    spread = f"{_ms(min(each))}/{_ms(found.median_us)}/{_ms(max(each))} min/median/max" if count > 1 else _ms(each[0])
    life = (found.total("run_us") + found.total("wait_us") + found.total("sleep_us")) or 1
    seconds = trace.lasted_us / 1e6 or 1
    typical = _args(found.typical)
    return (
        f"{label} ({kind}{names}): {_percent(found.run_us, trace.run_us)} % of CPU time, each {spread}; "
        f"life: {_percent(found.run_us, life)} % run, {_percent(found.total('wait_us'), life)} % wait, "
        f"{_percent(found.total('sleep_us'), life)} % sleep; bursts ~{_ms(found.burst_us(0.5))}, "
        f"p99 {_ms(min(found.burst_us(0.99), max(task.longest_burst_us for task in tasks)))}; "
        f"waits p50 {_ms(found.waited_us(0.5))}, p99 {_ms(found.waited_us(0.99))}; "
        f"{found.total('preemptions') / seconds:.0f} preemptions/s" + (f"; args {typical}" if typical else "")
    )


def _outlier_line(task: Task, found: Group, trace: Trace) -> str:
    times = task.run_us / found.median_us if found.median_us else 0
    args = _args(task)
    return (
        f"  stands out: {task.name} {_ms(task.run_us)} of CPU, {times:.0f} x the median, "
        f"{_percent(task.run_us, trace.run_us)} % of all, started at {_s(task.began_us)}"
        + (f"; args {args}" if args else "")
    )


def _rest(groups: list[Group], shown: list[Group], trace: Trace) -> str:
    rest = [found for found in groups if found not in shown]
    if not rest:
        return ""
    labels = ", ".join(dict.fromkeys(_cut(found.label, 16) for found in rest[:6]))
    share = sum(found.run_us for found in rest) / (trace.run_us or 1)
    return f"Others ({labels}): {sum(len(found.tasks) for found in rest)} tasks, {100 * share:.1f} % of CPU time."


def _wakes(trace: Trace, groups: list[Group]) -> str:
    found = wakes(trace, groups)[:WAKES]
    return f"Wake-ups: {', '.join(f'{waker} > {wakee} {count}' for waker, wakee, count in found)}." if found else ""


def _rates(trace: Trace) -> str:
    seconds = trace.lasted_us / 1e6 or 1
    rates = {
        "sleeps": sum(task.sleeps for task in trace.tasks),
        "preemptions": sum(task.preemptions for task in trace.tasks),
        "migrations": sum(task.migrations for task in trace.tasks),
    }
    return "Per second: " + ", ".join(f"{count / seconds:.0f} {name}" for name, count in rates.items()) + "."


def _processes(trace: Trace) -> str:
    processes = [task for task in trace.tasks if not task.is_thread]
    first = trace.tasks[0] if trace.tasks else None
    command = f"`{_cut(shlex.join(first.args), COMMAND_CHARS)}`" if first and first.args else ""
    children = sum(task.parent == first.slot for task in trace.tasks) if first else 0
    memory = memory_peak_kib(trace) / 1024
    largest = max((task.rss_kib for task in trace.tasks), default=0) / 1024
    return (
        f"{len(processes)} processes, {len(trace.tasks)} tasks, {most_at_once(trace)} at once; root {command} "
        f"starts {children}. Memory: at most {memory:.0f} MiB, largest process {largest:.0f} MiB."
    )


def _args(task: Task) -> str:
    return _cut(shlex.join(task.args[1:]), ARGS_CHARS)


def _cut(text: str, limit: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _percent(part: float, whole: float) -> int:
    return round(100 * part / whole) if whole else 0


def _figure(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _s(us: float) -> str:
    return f"{us / 1e6:.2f} s"


def _ms(us: float) -> str:
    return f"{us / 1000:.3g} ms" if us < 1e6 else f"{us / 1e6:.2f} s"
