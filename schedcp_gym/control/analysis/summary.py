"""Tier 1: describe what a workload does, from one traced run, in a few hundred tokens."""

import itertools
from collections import Counter
from typing import Any

from pydantic import TypeAdapter

from schedcp_gym.control.analysis.changes import Aspect, Change, detect, load_thresholds, series_of
from schedcp_gym.control.analysis.ends import End, find_start, find_tail, memory_peak_kib, most_at_once
from schedcp_gym.control.analysis.groups import Group, group, wakes
from schedcp_gym.control.analysis.report import Analysis, Tier
from schedcp_gym.control.analysis.trace import Task, Trace
from schedcp_gym.control.analysis.traced_run import TracedRun, run_traced
from schedcp_gym.lab import Lab
from schedcp_gym.llm import tokens
from schedcp_gym.spec import Direction, Measurement, Trial
from schedcp_gym.spec.cache_costs import cost_lines

#: A summary has fewer tokens than this, for every workload.
TOKEN_LIMIT = 400
#: Most groups, wake-ups, outliers, starts and changes in the text.
GROUPS, WAKES, OUTLIERS, TREE, CHANGES = 8, 6, 3, 5, 2
ARGS_CHARS, ALONE_CHARS, WORD_CHARS, TITLE_CHARS = 52, 28, 16, 100
#: Groups with a smaller share of the CPU time are named together in one line.
SMALL_SHARE = 0.01
#: Wake-ups with a smaller share than this are left out.
RARE_SHARE = 0.03
#: Least, median and largest time are printed as one figure if the largest is at most this many times the least.
ALIKE = 1.15
LABEL_CHARS = 24
#: Separator before a line's arguments, which are left out first.
ARGS = "; args "
LEGEND = (
    "Tasks: share of CPU time; CPU ms each (min/median/max); % of life run/wait/sleep; CPU burst p50, p99 ms; "
    "wait for a CPU p50, p99 ms; preemptions/s:"
)


def summarise(lab: Lab, trial: Trial) -> Analysis:
    """Run a trial under the tracer, and describe what its workload does.

    Raises:
        BadInput: The policy does not compile.
        SchedcpError: The trial or the host failed.
    """
    run = run_traced(lab, trial)
    text = write(trial, run)
    return Analysis(
        tier=Tier.SUMMARY,
        name="summary",
        workload=trial.workload.name,
        text=text,
        data=data(run),
        tokens=tokens.count(text),
        guest_s=run.measurement.job_s or 0.0,
        digests=run.measurement.digests,
    )


def data(run: TracedRun) -> dict[str, Any]:
    """Return all figures of a summary as plain values, with the workload's metrics in this run."""
    groups = group(run.trace)
    ends = {"start": find_start(run.trace), "tail": find_tail(run.trace)}
    return {
        "metrics": run.measurement.metrics,
        "events": run.measurement.events,
        "trace": TypeAdapter(Trace).dump_python(run.trace, mode="json"),
        "groups": [_group_data(found, run.trace) for found in groups],
        "wakes": [{"waker": waker, "wakee": wakee, "count": count} for waker, wakee, count in wakes(run.trace, groups)],
        **{name: TypeAdapter(End).dump_python(end, mode="json") if end else None for name, end in ends.items()},
        "changes": [TypeAdapter(Change).dump_python(change, mode="json") for change in _find_changes(run.trace)],
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
    """Return the text of a summary, with fewer tokens than the limit.

    Lines are added from the largest weight to the smallest. A line that does not fit is tried without its arguments.
    """
    trace = run.trace
    groups = group(trace)
    shown = [found for found in groups if found.run_us >= SMALL_SHARE * trace.run_us][:GROUPS]
    # Lines in the order in which they are read, each with its weight.
    lines = [
        (100, _head(trial, trace)),
        (99, _goals(trial, run.measurement.metrics)),
        (98, _cpus(trace)),
        (96, _caches(run.measurement)),
        (92, _end("First", find_start(trace), trace)),
        (97, _end("Last", find_tail(trace), trace)),
        (87, _changes(trace)),
        *_group_lines(shown, trace),
        (20, _rest(groups, shown, trace)),
        (80, _wakes(trace, groups)),
        (84, _totals(trace)),
        (55, _tree(trace, groups)),
        (95, f"(The tracer had no room for {trace.dropped} further tasks.)" if trace.dropped else ""),
    ]
    kept: dict[int, str] = {}
    for place in sorted(range(len(lines)), key=lambda place: (-lines[place][0], place)):
        line = lines[place][1]
        for version in dict.fromkeys((line, line.partition(ARGS)[0])):
            if version and tokens.count(_joined({**kept, place: version})) < limit:
                kept[place] = version
                break
    return _joined(kept)


def _joined(lines: dict[int, str]) -> str:
    return "\n".join(line for _, line in sorted(lines.items()))


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


def _caches(measured: Measurement) -> str:
    lines = cost_lines(measured.caches)
    return f"CPU time lost to cold caches, by process name: {' | '.join(lines)}." if lines else ""


def _end(name: str, end: End | None, trace: Trace) -> str:
    if end is None:
        return ""
    who = ", ".join(trace.by_slot[slot].name for slot in end.tasks[:OUTLIERS])
    return (
        f"{name} {_s(end.lasted_us)} ({_percent(end.lasted_us, trace.lasted_us)} %): only {end.busy_cpus:.1f} of "
        f"{len(trace.cpus)} CPUs busy{', by ' + who if who else ''}."
    )


def _find_changes(trace: Trace) -> list[Change]:
    return detect(series_of(trace), load_thresholds())


def _changes(trace: Trace) -> str:
    """Return the changes of behaviour. The lines about start and end of the run show changes of load."""
    found = [change for change in _find_changes(trace) if change.of is Aspect.BEHAVIOUR][:CHANGES]
    parts = [
        f"at {at_s:.1f} s "
        + ", ".join(f"{change.metric} {_number(change.before)} to {_number(change.after)}" for change in changes)
        for at_s, changes in itertools.groupby(found, key=lambda change: round(change.at_s, 1))
    ]
    return f"Behaviour changes: {'; '.join(parts)}." if parts else ""


def _group_lines(groups: list[Group], trace: Trace) -> list[tuple[int, str]]:
    lines = [(91, LEGEND)]
    start = find_start(trace)
    for place, found in enumerate(groups):
        weight = 90 - place * 4
        if start and {task.slot for task in found.tasks} <= set(start.tasks):
            weight -= 30  # the line about the run's start has shown them already
        lines.append((weight, _group_line(found, trace)))
        for rank, task in enumerate(found.outliers(trace.run_us)[:OUTLIERS]):
            # The first outlier is as important as its group; further ones are less important than other groups.
            lines.append((50 - rank if rank else weight, _outlier_line(task, found, trace)))
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
    args = _args(found.typical, found)
    return (
        f"{label}: {_percent(found.run_us, trace.run_us)} %; {spread}; "
        f"{'/'.join(str(_percent(part, life)) for part in (run, wait, sleep))}; {_pair(found.burst_us(0.5), burst)}; "
        f"{_pair(found.waited_us(0.5), found.waited_us(0.99))}; "
        f"{found.total('preemptions') / (trace.lasted_us / 1e6 or 1):.0f}{ARGS + args if args else ''}"
    )


def _outlier_line(task: Task, found: Group, trace: Trace) -> str:
    times = task.run_us / found.median_us if found.median_us else 0
    args = _args(task, found)
    return (
        f"- stands out: {task.name}, {_number(task.run_us / 1000)} ms of CPU, {times:.0f} x the median, "
        f"{_percent(task.run_us, trace.run_us)} % of all{ARGS + args if args else ''}"
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
    least = RARE_SHARE * sum(count for _, _, count in found)
    often = [f"{waker} > {wakee} {count}" for waker, wakee, count in found[:WAKES] if count >= least]
    return f"Wake-ups: {', '.join(often)}." if often else ""


def _totals(trace: Trace) -> str:
    seconds = trace.lasted_us / 1e6 or 1
    rates = {
        "sleeps": sum(task.sleeps for task in trace.tasks),
        "preemptions": sum(task.preemptions for task in trace.tasks),
        "migrations": sum(task.migrations for task in trace.tasks),
    }
    processes = sum(not task.is_thread for task in trace.tasks)
    return (
        f"Per second: {', '.join(f'{count / seconds:.0f} {name}' for name, count in rates.items())}. "
        f"{processes} process{'es' if processes != 1 else ''}, {len(trace.tasks)} tasks, {most_at_once(trace)} at "
        f"once, {memory_peak_kib(trace) / 1024:.0f} MiB."
    )


def _tree(trace: Trace, groups: list[Group]) -> str:
    """Return which groups of tasks started which, the most frequent pair first."""
    labels = {task.slot: found.label for found in groups for task in found.tasks}
    started = Counter((labels.get(task.parent, ""), labels[task.slot]) for task in trace.tasks if task.parent)
    often = sorted(started.items(), key=lambda item: (-item[1], item[0]))[:TREE]
    branches = ", ".join(f"{parent} > {count} {child}" for (parent, child), count in often)
    return f"Started by: {branches}." if branches else ""


def _args(task: Task, found: Group) -> str:
    """Return the arguments that distinguish a task in its group: the last part of paths, the begin of long words."""
    words = [word.rpartition("/")[2] or word for word in found.own_args(task)]
    return _cut(
        " ".join(word if len(word) <= WORD_CHARS else f"{word[:WORD_CHARS]}.." for word in words),
        ARGS_CHARS if len(found.tasks) > 1 else ALONE_CHARS,
    )


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
    """Return a figure with two digits, or with all digits before the decimal point."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _span(least_us: float, median_us: float, most_us: float) -> str:
    """Return least, median and largest time in milliseconds, or one figure if they are nearly the same."""
    if most_us <= ALIKE * least_us:
        return _number(median_us / 1000)
    return "/".join(_number(us / 1000) for us in (least_us, median_us, most_us))


def _pair(first_us: float, second_us: float) -> str:
    return f"{_number(first_us / 1000)}, {_number(second_us / 1000)}"
