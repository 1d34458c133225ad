"""Tools that verify and measure a policy."""

from collections.abc import Collection
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from schedcp_gym.control.analysis.differences import metric_changes
from schedcp_gym.control.server import formatting
from schedcp_gym.control.server.arguments import (
    EDITS,
    NO_TUNABLES,
    PolicyArgument,
    SourceArgument,
    TunablesArgument,
    WorkloadArgument,
)
from schedcp_gym.control.server.call import Call
from schedcp_gym.control.server.policies import Edit
from schedcp_gym.control.server.tool import tool
from schedcp_gym.control.verifier.report import Stage, StageReport
from schedcp_gym.lab.catalogue import find_objective
from schedcp_gym.llm import ToolResult
from schedcp_gym.spec import EEVDF, BadInput, Measurement, Outcome, Policy, SchedcpError, reward

STAGES: dict[str, Collection[Stage]] = {"quick": (Stage.SOURCE, Stage.KERNEL), "full": tuple(Stage)}


class EditArgument(BaseModel):
    """An edit of the source."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    old: Annotated[str, Field(description="A piece that occurs exactly once.", min_length=1, max_length=50_000)]
    new: Annotated[str, Field(description="Its replacement; may be empty.", max_length=50_000)]


@tool(boots=True)
def submit_policy(
    call: Call,
    policy: PolicyArgument = None,
    source: SourceArgument = None,
    tunables: TunablesArgument = NO_TUNABLES,
    stages: Annotated[
        Literal["quick", "full"],
        Field(
            description="quick: source and kernel verifier, about 4 host seconds. full: behaviour and performance too, "
            "about 30 host seconds; a policy that passes all gets the token that deploy_policy asks for."
        ),
    ] = "quick",
    edits: Annotated[
        list[EditArgument],
        Field(
            description="Changes to make to `policy` first, one after the other; the result is a new draft.",
            max_length=EDITS,
            examples=[[{"old": "slice_us * 1000", "new": "slice_us * 2000"}]],
        ),
    ] = [],  # noqa: B006  pydantic copies it
) -> ToolResult:
    """Submit a policy to the verifier: it reports what failed, where, on what evidence, and how to fix it.

    The result's `policy` is the name to use from now on in all tools: do not send the source again.
    """
    plane = call.plane
    chosen = _edited(call, policy, source, tunables, [Edit(each.old, each.new) for each in edits])
    if chosen.is_eevdf:
        raise BadInput("eevdf is the kernel's own scheduler: there is nothing to verify")
    wanted = STAGES[stages]
    call.step("source: compiled and checked", 0, len(wanted))
    ended: list[Stage] = []

    def on_stage(report: StageReport) -> None:
        ended.append(report.stage)
        following = [stage.value for stage in Stage if stage in wanted and stage not in ended]
        verdict = "passed" if report.passed else "failed"
        call.step(f"{report.stage.value} {verdict}{f'; {following[0]}' if following else ''}", len(ended), len(wanted))

    report = plane.verifier(call.lab).verify(chosen, stages=wanted, on_stage=on_stage)
    call.check()
    if report.infra_fault:
        fault = next(stage for stage in report.stages if stage.infra_fault)
        raise SchedcpError(f"the host failed in stage {fault.stage.value}: {fault.summary}; submit it again")
    if report.token and call.session.own:
        plane.keep_token(chosen, report.token, call.session.id)
    verdict = "passed" if report.passed else f"caught at {report.caught_at}"
    text = f"{chosen.name}: {verdict}\n{formatting.report_text(report)}"
    data = {"policy": chosen.name, **formatting.report_data(report), "guest_s": round(report.guest_s, 6)}
    return ToolResult(data, text)


@tool(boots=True)
def measure_policy(
    call: Call,
    workload: WorkloadArgument,
    policy: PolicyArgument = None,
    source: SourceArgument = None,
    tunables: TunablesArgument = NO_TUNABLES,
) -> ToolResult:
    """Measure a policy on a workload against EEVDF: metrics, improvement ratios, reward. 2 to 8 host seconds.

    Exact: the same policy, tunables and workload give the same figures again, at no cost. A policy that does not
    compile, is rejected or ejected has the lowest reward (-3), and the result says why.
    """
    plane = call.plane
    if plane.measured_only:
        raise BadInput("in this run the environment measures: use its step, not this tool")
    chosen, found = plane.resolve(policy, source, tunables), plane.workload(workload)
    trials = [plane.trial(workload, each) for each in (Policy(EEVDF), chosen)]
    call.step(f"{workload}: eevdf and {chosen.name}", 0, len(trials))
    done: list[int] = []

    def measured_one(index: int, _: Measurement) -> None:
        done.append(index)
        if not call.cancelled.is_set():
            call.step(f"{workload}: {len(done)} of {len(trials)} runs done", len(done), len(trials))

    baseline, measured = call.lab.measure(trials, done=measured_one)
    call.check()
    if not baseline.ok or measured.outcome is Outcome.INFRA_FAULT:
        bad = measured if baseline.ok else baseline
        raise SchedcpError(f"{workload} can't be measured: {bad.outcome.value}: {bad.message}"[:400])
    objective = find_objective(found, plane.objective)
    gained = reward(found, measured, baseline, objective)
    plane.note_measured(workload, chosen, measured, baseline)
    data = {
        **formatting.measured_data(found, objective, chosen, measured, baseline, gained, plane.seed),
        "against_eevdf": _against(found, objective, measured, baseline),
        "guest_s": round(measured.job_s or 0.0, 6),
    }
    text = formatting.measured_text(found, objective, formatting.named(chosen), measured, baseline, gained)
    return ToolResult(data, text, cached=measured.cached and baseline.cached)


def _edited(call: Call, policy: str | None, source: str | None, tunables: dict[str, Any], edits: list[Edit]) -> Policy:
    if not edits:
        return call.plane.resolve(policy, source, tunables)
    base = call.plane.resolve(policy, source)
    if base.is_eevdf:
        raise BadInput("eevdf is the kernel's own scheduler: there is no source to edit")
    # Values that the repository keeps for the policy still apply, where the edited source still has the tunables.
    text = call.plane.policies.edited(base.source, edits)
    declared = {each.name for each in call.plane.policies.tunables(text)}
    kept = {name: value for name, value in base.tunables if name in declared}
    return call.plane.resolve(None, text, {**kept, **tunables})


def _against(workload: Any, objective: Any, measured: Measurement, baseline: Measurement) -> dict[str, Any]:
    if not measured.ok:
        return {}
    return {
        change.name: {
            "eevdf": change.before,
            "policy": change.after,
            "unit": workload.metrics[change.name].unit,
            "direction": workload.metrics[change.name].direction.value,
            "improvement": change.ratio,
            "weight": change.weight,
        }
        for change in metric_changes(workload, objective, measured, baseline, None)
    }
