"""What a workload does: the analysis engine's tiers, cheap ones first."""

from typing import Annotated, Any

from pydantic import Field

from schedcp_gym.control.analysis import Analysis
from schedcp_gym.control.server.answer import Answer
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
from schedcp_gym.control.server.tool import tool
from schedcp_gym.spec import EEVDF, Policy

#: Parts of an analysis's data that are too long to be sent: every window and task of a traced run.
_LEFT_OUT = ("trace",)


@tool(boots=True)
def analyze_workload(
    call: Call, workload: WorkloadArgument, policy: SchedulerArgument = None, tunables: TunablesArgument = NO_TUNABLES
) -> Answer:
    """Tier 1: what a workload does, from one traced run, in under 400 tokens: start here.

    CPU time by kind of task, bursts, waiting, who starts and wakes whom, when few tasks keep the machine. A run takes
    2 to 8 host seconds; asked again it costs nothing.
    """
    scheduler = _scheduler(call, workload, policy, tunables)
    call.step(f"{workload}: one run under the tracer")
    return _answer(call.plane.analyzer(call.lab).summary(call.plane.workload(workload), scheduler))


@tool(boots=True)
def workload_changes(
    call: Call, workload: WorkloadArgument, policy: SchedulerArgument = None, tunables: TunablesArgument = NO_TUNABLES
) -> Answer:
    """Tier 1: where in its run a workload changes, what each part is like, and whether to analyse anew after a change.

    From the same traced run as analyze_workload, at no further cost. Who subscribes to the resource
    schedcp://workloads/NAME/changes is told when the answer changes.
    """
    found, scheduler = call.plane.workload(workload), _scheduler(call, workload, policy, tunables)
    call.step(f"{workload}: one run under the tracer")
    changes = call.plane.analyzer(call.lab).changes(found, scheduler)
    call.plane.watch.analysed(workload, scheduler.name, found.digest, changes)
    return _answer(changes)


@tool(boots=True)
def profile_workload(
    call: Call,
    workload: WorkloadArgument,
    profiles: Annotated[
        list[Word],
        Field(
            description="Which; none: the default set. A wrong name lists them.",
            max_length=12,
            examples=[["wakeup_latency"]],
        ),
    ] = NO_WORDS,
    policy: SchedulerArgument = None,
    tunables: TunablesArgument = NO_TUNABLES,
) -> Answer:
    """Tier 2: histograms by process name (microseconds, in powers of two), from a run under BCC probes.

    How long tasks wait for a CPU, run at a stretch, sleep. Takes 5 to 20 host seconds.
    """
    scheduler = _scheduler(call, workload, policy, tunables)
    call.step(f"{workload}: a run under probes")
    return _answer(call.plane.analyzer(call.lab).profile(call.plane.workload(workload), profiles, scheduler))


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
) -> Answer:
    """Tier 2: what a BCC probe of your own counts and prints while the workload runs; in the guest, within limits."""
    scheduler = _scheduler(call, workload, policy, tunables)
    call.step(f"{workload}: a run under your probe")
    return _answer(call.plane.analyzer(call.lab).probe(call.plane.workload(workload), source, scheduler))


@tool()
def list_workload_files(call: Call, workload: WorkloadArgument) -> Answer:
    """Tier 2: the workload's own files (scripts, sources, declaration) with their size in bytes. Costs nothing."""
    return _answer(call.plane.analyzer(call.lab).files(call.plane.workload(workload)), runs=False)


@tool()
def read_workload_file(
    call: Call,
    workload: WorkloadArgument,
    path: Annotated[
        str, Field(description="As list_workload_files names it.", max_length=400, examples=["workload.yaml"])
    ],
    first_line: FirstLine = 1,
) -> Answer:
    """Tier 2: one of the workload's files as text, a page of at most 4000 tokens at a time. Costs nothing."""
    found = call.plane.analyzer(call.lab).file(call.plane.workload(workload), path, first_line)
    more = {"next_line": found.data["last_line"] + 1} if found.data["last_line"] < found.data["lines"] else {}
    return _answer(found, runs=False, **more)


@tool(boots=True)
def get_feedback(
    call: Call,
    workload: WorkloadArgument,
    policy: PolicyArgument = None,
    source: SourceArgument = None,
    tunables: TunablesArgument = NO_TUNABLES,
    last: Annotated[
        Word | None,
        Field(description="The policy before this one, to compare with: name, id or draft.", examples=["fifo"]),
    ] = None,
) -> Answer:
    """Tier 3: what a policy changed on a workload, by metric and by class of tasks; who won and lost; why it failed.

    Against EEVDF, and against the `last` policy if one is given. Ask after measure_policy.
    """
    plane = call.plane
    found, chosen = plane.workload(workload), plane.resolve(policy, source, tunables)
    before = plane.resolve(last) if last is not None else None
    for each in (chosen, before):
        if each is not None:
            plane.check_measured(workload, each)
    call.step(f"{workload}: runs of {chosen.name} and eevdf, traced")
    feedback = plane.analyzer(call.lab).feedback(found, chosen, before, objective=plane.objective)
    return _answer(feedback)


def _scheduler(call: Call, workload: str, policy: str | None, tunables: dict[str, Any]) -> Policy:
    scheduler = call.plane.resolve(policy or EEVDF, None, tunables)
    call.plane.check_measured(workload, scheduler)  # a traced run gives the metrics too
    return scheduler


def _answer(analysis: Analysis, *, runs: bool = True, **more: Any) -> Answer:
    data = {name: value for name, value in analysis.data.items() if name not in _LEFT_OUT}
    about = {"workload": analysis.workload, "tier": analysis.tier.value, "name": analysis.name}
    return Answer(
        analysis.text,
        {**about, "tokens": analysis.tokens, "data": data, **more},
        guest_s=analysis.guest_s if runs else None,
        cached=analysis.cached,
    )
