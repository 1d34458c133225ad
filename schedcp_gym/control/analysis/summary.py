"""Tier 1: what a workload does, from one traced run, in a few hundred tokens."""

import itertools
import time
from collections import Counter
from typing import Any

from pydantic import TypeAdapter

from schedcp_gym.control.analysis import tokens
from schedcp_gym.control.analysis.ends import End, find_start, find_tail, memory_peak_kib, most_at_once
from schedcp_gym.control.analysis.groups import Group, group, wakes
from schedcp_gym.control.analysis.report import Analysis, Tier
from schedcp_gym.control.analysis.trace import Task, Trace
from schedcp_gym.control.analysis.traced_run import TracedRun, run_traced
from schedcp_gym.lab import Lab
from schedcp_gym.spec import Direction, Trial

#: A summary is shorter than this, whatever the workload.
TOKEN_LIMIT = 400
#: Groups, wake-ups and outliers with a line or place of their own, at most.
GROUPS, WAKES, OUTLIERS, TREE = 8, 6, 3, 5
ARGS_CHARS, WORD_CHARS, TITLE_CHARS = 52, 16, 100
#: Groups with less of the CPU time than this are left for the last, and named together.
SMALL_SHARE = 0.01
LABEL_CHARS = 24
LEGEND = (
    "Tasks: % of CPU time; CPU ms each, min/median/max; run/wait/sleep as % of life; CPU burst ms p50, p99; "
    "wait for a CPU ms p50, p99; preempted per s; args:"
)


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
    ends = {"start": find_start(run.trace), "tail": find_tail(run.trace)}
    return {
        "metrics": run.measurement.metrics,
        "events": run.measurement.events,
        "trace": TypeAdapter(Trace).dump_python(run.trace, mode="json"),
        "groups": [_group_data(found, run.trace) for found in groups],
        "wakes": [{"waker": waker, "wakee": wakee, "count": count} for waker, wakee, count in wakes(run.trace, groups)],
        **{name: TypeAdapter(End).dump_python(end, mode="json") if end else None for name, end in ends.items()},
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
        (92, _end("First", find_start(trace), trace)),
        (97, _end("Last", find_tail(trace), trace)),
        *_group_lines(shown, trace),
        (20, _rest(groups, shown, trace)),
        (80, _wakes(trace, groups)),
        (70, _rates(trace)),
        (60, _processes(trace)),
        (55, _tree(trace, groups)),
        (95, f"(The tracer had no room for {trace.dropped} further tasks.)" if trace.dropped else ""),
    ]
    kept = [(weight, place, line) for place, (weight, line) in enumerate(lines) if line]
    while tokens.count(text := "\n".join(line for _, _, line in kept)) >= limit and len(kept) > 1:
        kept.remove(min(kept, key=lambda entry: (entry[0], -entry[1])))
    return text


def _head(trial: Trial, trace: Trace) -> str:
    title = _cut(trial.workload.title, TITLE_CHARS)
    return (
        f"{_cut(trial.workload.name, 40)}: {title}. {trial.scale} scale, seed {trial.seed}, under "
        f"{_cut(trial.policy.name, 40)}: {_s(trace.lasted_us)} on {len(trace.cpus)} CPUs."
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
    all_busy = sum(trace.running_us[len(trace.cpus) :])
    total = sum(trace.waiting_us) or 1
    mean = sum(length * spent for length, spent in enumerate(trace.waiting_us)) / total
    passed = itertools.accumulate(trace.waiting_us)
    median = next((length for length, so_far in enumerate(passed) if 2 * so_far >= total), 0)
    return (
        f"CPUs busy {busy}; all busy {_percent(all_busy, trace.lasted_us)} % of the time. Tasks waiting for a CPU: "
        f"mean {mean:.1f}, median {median}, most {trace.most_waiting}."
    )


def _end(name: str, end: End | None, trace: Trace) -> str:
    if end is None:
        return ""
    who = ", ".join(trace.by_slot[slot].name for slot in end.tasks[:OUTLIERS])
    return (
        f"{name} {_s(end.lasted_us)} ({_percent(end.lasted_us, trace.lasted_us)} % of the run): only "
        f"{end.busy_cpus:.1f} of {len(trace.cpus)} CPUs busy{', by ' + who if who else ''}."
    )


def _group_lines(groups: list[Group], trace: Trace) -> list[tuple[int, str]]:
    lines = [(91, LEGEND)]
    for place, found in enumerate(groups):
        lines.append((90 - place * 6, _group_line(found, trace)))
        lines += [
            (89 - place * 6 - rank, _outlier_line(task, found, trace))
            for rank, task in enumerate(found.outliers(trace.run_us)[:OUTLIERS])
        ]
    return lines


def _group_line(found: Group, trace: Trace) -> str:
    tasks, many = found.tasks, len(found.tasks) > 1
    kind = {"process": " processes", "fork": " forks", "thread": " threads"}[found.kind] if many else ""
    label = f"{len(tasks)} {_cut(found.label, LABEL_CHARS)}{kind}"
    if found.own_names:
        label += f", each its own name ({', '.join(task.name for task in tasks[:2])} ...)"
    each = [task.run_us for task in tasks]
    spread = f"{_span(min(each), found.median_us, max(each))}" if many else _number(each[0] / 1000)
    run, wait, sleep = (found.total(name) for name in ("run_us", "wait_us", "sleep_us"))
    life = (run + wait + sleep) or 1
    burst = min(found.burst_us(0.99), max(task.longest_burst_us for task in tasks))
    args = _args(found.typical)
    return (
        f"{label}: {_percent(found.run_us, trace.run_us)} %; {spread}; "
        f"{'/'.join(str(_percent(part, life)) for part in (run, wait, sleep))}; {_pair(found.burst_us(0.5), burst)}; "
        f"{_pair(found.waited_us(0.5), found.waited_us(0.99))}; "
        f"{found.total('preemptions') / (trace.lasted_us / 1e6 or 1):.0f}{'; ' + args if args else ''}"
    )


def _outlier_line(task: Task, found: Group, trace: Trace) -> str:
    times = task.run_us / found.median_us if found.median_us else 0
    args = _args(task)
    return (
        f"- stands out: {task.name}, {_number(task.run_us / 1000)} ms of CPU, {times:.0f} x the median, "
        f"{_percent(task.run_us, trace.run_us)} % of all{'; ' + args if args else ''}"
    )


def _rest(groups: list[Group], shown: list[Group], trace: Trace) -> str:
    rest = [found for found in groups if found not in shown]
    if not rest:
        return ""
    labels = ", ".join(dict.fromkeys(_cut(found.label, 16) for found in rest[:6]))
    share = sum(found.run_us for found in rest) / (trace.run_us or 1)
    return f"Others ({labels}): {sum(len(found.tasks) for found in rest)} tasks, {100 * share:.1f} % of CPU time."


def _wakes(trace: Trace, groups: list[Group]) -> str:
    found = wakes(trace, groups)
    least = SMALL_SHARE * sum(count for _, _, count in found)
    often = [f"{waker} > {wakee} {count}" for waker, wakee, count in found[:WAKES] if count >= least]
    return f"Wake-ups: {', '.join(often)}." if often else ""


def _rates(trace: Trace) -> str:
    seconds = trace.lasted_us / 1e6 or 1
    rates = {
        "sleeps": sum(task.sleeps for task in trace.tasks),
        "preemptions": sum(task.preemptions for task in trace.tasks),
        "migrations": sum(task.migrations for task in trace.tasks),
    }
    return "Per second: " + ", ".join(f"{count / seconds:.0f} {name}" for name, count in rates.items()) + "."


def _processes(trace: Trace) -> str:
    processes = sum(not task.is_thread for task in trace.tasks)
    memory, largest = memory_peak_kib(trace) / 1024, max((task.rss_kib for task in trace.tasks), default=0) / 1024
    return (
        f"{_count(processes, 'process', 'processes')}, {_count(len(trace.tasks), 'task', 'tasks')}, "
        f"{most_at_once(trace)} at once; memory {memory:.0f} MiB at most, largest process {largest:.0f} MiB."
    )


def _tree(trace: Trace, groups: list[Group]) -> str:
    """Who started whom, by the groups' labels: the root first."""
    labels = {task.slot: found.label for found in groups for task in found.tasks}
    started = Counter((labels.get(task.parent, ""), labels[task.slot]) for task in trace.tasks if task.parent)
    often = sorted(started.items(), key=lambda item: (-item[1], item[0]))[:TREE]
    branches = ", ".join(f"{parent} > {count} {child}" for (parent, child), count in often)
    return f"Started by: {branches}." if branches else ""


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _args(task: Task) -> str:
    """Its arguments: of paths the last part, of long numbers the beginning."""
    words = [word.rpartition("/")[2] or word for word in task.args[1:]]
    return _cut(" ".join(word if len(word) <= WORD_CHARS else f"{word[:WORD_CHARS]}.." for word in words), ARGS_CHARS)


def _cut(text: str, limit: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _percent(part: float, whole: float) -> int:
    return round(100 * part / whole) if whole else 0


def _figure(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _s(us: float) -> str:
    return f"{us / 1e6:.2f} s"


def _number(value: float) -> str:
    """Two digits are enough for what differs from run to run; more where they stand before the point."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _span(*us: float) -> str:
    return "/".join(_number(value / 1000) for value in us)


def _pair(first_us: float, second_us: float) -> str:
    return f"{_number(first_us / 1000)}, {_number(second_us / 1000)}"
