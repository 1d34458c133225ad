"""Tools that analyse a workload, in three tiers, cheap ones first."""

from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from schedcp_gym.control.analysis import Analysis
from schedcp_gym.control.analysis.groups import Group, group
from schedcp_gym.control.analysis.trace import Trace
from schedcp_gym.control.server.arguments import (
    NO_TUNABLES,
    NO_WORDS,
    PROBE_CHARS,
    FirstLine,
    PolicyArgument,
    SchedulerArgument,
    SourceArgument,
    TunablesArgument,
    Word,
    WorkloadArgument,
)
from schedcp_gym.control.server.call import Call
from schedcp_gym.control.server.results import GroupData, OutlierData
from schedcp_gym.control.server.tool import tool
from schedcp_gym.llm import ToolResult
from schedcp_gym.spec import EEVDF, Policy

#: Digits of figures in data.
DIGITS = 4
#: Characters of a process's name that the kernel keeps.
NAME_CHARS = 15
_TRACE = TypeAdapter(Trace)


@tool(boots=True)
def analyze_workload(
    call: Call, workload: WorkloadArgument, policy: SchedulerArgument = None, tunables: TunablesArgument = NO_TUNABLES
) -> ToolResult:
    """Tier 1: sum up a workload from one traced run, in under 400 tokens. Start here.

    It has CPU time by kind of task, bursts, waits, starts and wake-ups, and the times when few tasks keep the machine
    busy. A run takes 2 to 8 host seconds; the same call again costs nothing.
    """
    scheduler = _scheduler(call, workload, policy, tunables)
    call.step(f"{workload}: one run under the tracer")
    analysis = call.plane.analyzer(call.lab).summary(call.plane.workload(workload), scheduler)
    trace = _TRACE.validate_python(analysis.data["trace"])
    data = {name: value for name, value in analysis.data.items() if name not in ("trace", "start", "tail")}
    data["lasted_s"] = round(trace.lasted_us / 1e6, DIGITS)
    data["groups"] = [_group_data(each, trace) for each in group(trace)]
    for name in ("start", "tail"):  # slots say nothing without the trace: names in their place
        end = analysis.data[name]
        data[name] = end and {**end, "tasks": [trace.by_slot[slot].name for slot in end["tasks"]]}
    return _result(analysis, data)


@tool(boots=True)
def workload_changes(
    call: Call, workload: WorkloadArgument, policy: SchedulerArgument = None, tunables: TunablesArgument = NO_TUNABLES
) -> ToolResult:
    """Tier 1: find where in its run a workload changes, describe each part, and say whether to analyse again.

    It uses the same traced run as analyze_workload, at no further cost. Subscribers of the resource
    schedcp://workloads/NAME/changes are notified when the result changes.
    """
    found, scheduler = call.plane.workload(workload), _scheduler(call, workload, policy, tunables)
    call.step(f"{workload}: one run under the tracer")
    changes = call.plane.analyzer(call.lab).changes(found, scheduler)
    call.plane.watch.analysed(workload, scheduler.name, found.digest, changes)
    return _result(changes)


@tool(boots=True)
def profile_workload(
    call: Call,
    workload: WorkloadArgument,
    profiles: Annotated[
        list[Word],
        Field(
            description="Names of profiles; empty: the default ones. A wrong name lists all.",
            max_length=12,
            examples=[["wakeup_latency"]],
        ),
    ] = NO_WORDS,
    policy: SchedulerArgument = None,
    tunables: TunablesArgument = NO_TUNABLES,
) -> ToolResult:
    """Tier 2: show histograms by process name (microseconds, in powers of two), from a run under BCC probes.

    They show how long tasks wait for a CPU, run without a break, and sleep. A run takes 5 to 20 host seconds.
    """
    scheduler = _scheduler(call, workload, policy, tunables)
    call.step(f"{workload}: a run under probes")
    return _result(call.plane.analyzer(call.lab).profile(call.plane.workload(workload), profiles, scheduler))


@tool(boots=True)
def probe_workload(
    call: Call,
    workload: WorkloadArgument,
    source: Annotated[
        str,
        Field(
            description="C for BCC. Functions attach by BCC's names (TRACEPOINT_PROBE(sched, sched_switch), "
            "KFUNC_PROBE, kprobe__…); IN_WORKLOAD() is true for the workload's tasks; every table is shown.",
            max_length=PROBE_CHARS,
            examples=["BPF_HASH(count, u32);\nTRACEPOINT_PROBE(sched, sched_switch) {\n\tu32 key = 0;\n\t…"],
        ),
    ],
    policy: SchedulerArgument = None,
    tunables: TunablesArgument = NO_TUNABLES,
) -> ToolResult:
    """Tier 2: run the workload under a BCC probe that you write, and show what it counts and prints."""
    scheduler = _scheduler(call, workload, policy, tunables)
    call.step(f"{workload}: a run under your probe")
    return _result(call.plane.analyzer(call.lab).probe(call.plane.workload(workload), source, scheduler))


@tool()
def list_workload_files(call: Call, workload: WorkloadArgument) -> ToolResult:
    """Tier 2: list the workload's files (scripts, sources, declaration) with their size in bytes. Costs nothing."""
    return _result(call.plane.analyzer(call.lab).files(call.plane.workload(workload)), runs=False)


@tool()
def read_workload_file(
    call: Call,
    workload: WorkloadArgument,
    path: Annotated[
        str, Field(description="As list_workload_files names it.", max_length=400, examples=["workload.yaml"])
    ],
    first_line: FirstLine = 1,
) -> ToolResult:
    """Tier 2: read one of the workload's files, a page of at most 4000 tokens at a time. Costs nothing."""
    found = call.plane.analyzer(call.lab).file(call.plane.workload(workload), path, first_line)
    more = {"next_line": found.data["last_line"] + 1} if found.data["last_line"] < found.data["lines"] else {}
    return _result(found, runs=False, **more)


@tool(boots=True)
def get_feedback(
    call: Call,
    workload: WorkloadArgument,
    policy: PolicyArgument = None,
    source: SourceArgument = None,
    tunables: TunablesArgument = NO_TUNABLES,
    last: Annotated[
        Word | None,
        Field(description="An earlier policy to compare with: name, id or draft.", examples=["fifo"]),
    ] = None,
) -> ToolResult:
    """Tier 3: show what a policy changed on a workload, by metric and by group of tasks, or why it failed.

    It is compared with EEVDF, and with the `last` policy if one is given. Use it after measure_policy.
    """
    plane = call.plane
    found, chosen = plane.workload(workload), plane.resolve(policy, source, tunables)
    before = plane.resolve(last) if last is not None else None
    for each in (chosen, before):
        if each is not None:
            plane.check_measured(workload, each)
    call.step(f"{workload}: runs of {chosen.name} and eevdf, traced")
    feedback = plane.analyzer(call.lab).feedback(found, chosen, before, objective=plane.objective)
    return _result(feedback)


def _scheduler(call: Call, workload: str, policy: str | None, tunables: dict[str, Any]) -> Policy:
    scheduler = call.plane.resolve(policy or EEVDF, None, tunables)
    call.plane.check_measured(workload, scheduler)  # a traced run gives the metrics too
    return scheduler


def _result(analysis: Analysis, data: dict[str, Any] | None = None, *, runs: bool = True, **more: Any) -> ToolResult:
    about = {"workload": analysis.workload, "tier": analysis.tier.value, "name": analysis.name}
    costs = {"guest_s": round(analysis.guest_s, 6)} if runs else {}
    found = {**about, "tokens": analysis.tokens, "data": analysis.data if data is None else data, **more, **costs}
    return ToolResult(found, analysis.text, cached=analysis.cached)


def _group_data(found: Group, trace: Trace) -> GroupData:
    lives = [found.total(name) for name in ("run_us", "wait_us", "sleep_us")]
    run, wait, sleep = (round(part / (sum(lives) or 1), DIGITS) for part in lives)
    longest_burst_us = max(task.longest_burst_us for task in found.tasks)
    return {
        "label": found.label,
        "name": found.label.partition("#")[0][:NAME_CHARS],
        "kind": found.kind,
        "own_names": found.own_names,
        "tasks": len(found.tasks),
        "cpu_share": _share(found.run_us, trace),
        "median_cpu_ms": _ms(found.median_us),
        "run_share": run,
        "wait_share": wait,
        "sleep_share": sleep,
        "burst_p50_ms": _ms(found.burst_us(0.5)),
        "burst_p99_ms": _ms(min(found.burst_us(0.99), longest_burst_us)),
        "wait_p50_ms": _ms(found.waited_us(0.5)),
        "wait_p99_ms": _ms(found.waited_us(0.99)),
        "outliers": [_outlier_data(task.name, task.run_us, found, trace) for task in found.outliers(trace.run_us)],
    }


def _outlier_data(name: str, run_us: int, found: Group, trace: Trace) -> OutlierData:
    return {
        "name": name,
        "cpu_ms": _ms(run_us),
        "times_median": round(run_us / (found.median_us or 1), DIGITS),
        "cpu_share": _share(run_us, trace),
        "is_named": sum(task.name == name for task in found.tasks) == 1,
    }


def _ms(microseconds: float) -> float:
    return round(microseconds / 1000, DIGITS)


def _share(run_us: float, trace: Trace) -> float:
    return round(run_us / (trace.run_us or 1), DIGITS)
