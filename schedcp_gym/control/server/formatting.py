"""Records, reports and measurements as data and as text for a model, the most important first, without host times."""

import math
from collections.abc import Sequence
from typing import cast

from schedcp_gym.control.analysis.differences import metric_changes
from schedcp_gym.control.repository import (
    Antipattern,
    PolicyRecord,
    Primitive,
    Repository,
    Standing,
)
from schedcp_gym.control.repository.card import read_card
from schedcp_gym.control.server.results import MeasuredData, StandingData, TunableData, VerifiedData
from schedcp_gym.control.verifier.canary import CanaryReport
from schedcp_gym.control.verifier.report import Severity, StageReport, VerifierReport
from schedcp_gym.lab import catalogue
from schedcp_gym.llm import tokens
from schedcp_gym.spec import Measurement, Objective, Policy, Tunable, Workload

#: Standings and lessons shown of a policy, findings and figures of a stage.
STANDINGS, LESSONS, FINDINGS = 6, 5, 6
#: Tokens of a stage's evidence, and of a failed measurement's log.
EVIDENCE_TOKENS = 600


def times(reward: float) -> str:
    """Return a reward as the improvement ratio over EEVDF."""
    return f"{math.exp(reward):.3f}x EEVDF"


def standing_text(standing: Standing) -> str:
    """Return a policy's results on one workload, in a line."""
    values = "".join(f" {name}={value}" for name, value in standing.values)
    where = f"{standing.workload} ({standing.scale.value}, {standing.machine}{', set' + values if values else ''})"
    if standing.reward is None:
        return f"{where}: {standing.failures} of {standing.results} failed"
    low, high = standing.reward.low, standing.reward.high
    ends = (
        f", 95 % interval {math.exp(low):.3f} to {math.exp(high):.3f}" if low is not None and high is not None else ""
    )
    proven = ", proven" if standing.proven else ""
    failed = f", {standing.failures} failed" if standing.failures else ""
    return f"{where}: {times(standing.reward.mean)} over {standing.reward.seeds} seed(s){ends}{failed}{proven}"


def standing_data(standing: Standing) -> StandingData:
    """Return a policy's results on one workload as data."""
    reward = standing.reward
    return {
        "workload": standing.workload,
        "scale": standing.scale.value,
        "machine": standing.machine,
        "tunables": dict(standing.values),
        "reward": None if reward is None else {"mean": reward.mean, "low": reward.low, "high": reward.high},
        "improvement": None if reward is None else math.exp(reward.mean),
        "seeds": 0 if reward is None else reward.seeds,
        "results": standing.results,
        "failures": standing.failures,
        "proven": standing.proven,
    }


def tunable_text(tunable: Tunable) -> str:
    """Return a tunable with default, range and unit, in a line."""
    if tunable.is_name:
        takes = "a name of up to 15 characters"
    elif tunable.type.value == "bool":
        takes = "true or false"
    else:
        takes = f"{tunable.low} to {tunable.high} {tunable.unit}".rstrip() + (", by factors" if tunable.log else "")
    return f"{tunable.name} = {tunable.default!r} ({takes}): {tunable.description}"


def tunable_data(tunable: Tunable) -> TunableData:
    """Return a tunable as data."""
    number = not tunable.is_name and tunable.type.value != "bool"
    limits = {"low": tunable.low, "high": tunable.high, "log": tunable.log} if number else {}
    about = {"type": tunable.type.value, "default": tunable.default, "unit": tunable.unit}
    return cast("TunableData", {"name": tunable.name, **about, **limits, "description": tunable.description})


def hit_text(record: PolicyRecord | Antipattern | Primitive) -> str:
    """Return a record that a search has found, in a line."""
    if isinstance(record, Antipattern):
        of = f" ({record.policy})" if record.policy else ""
        instead = f" Instead: {record.instead}" if record.instead else ""
        return f"{record.name}{of}: {record.failed_because}{instead}"
    if isinstance(record, Primitive):
        return f"{record.name}: {record.title}"
    card = read_card(record.card)
    good = f" {card.good}" if card.good else ""
    return f"{record.name} ({record.status.value}): {card.title}{good}"


def policy_text(repository: Repository, record: PolicyRecord, standings: Sequence[Standing]) -> str:
    """Return all that the repository has of a policy, except its source."""
    declared = catalogue.tunables_of(record.source)
    lineage = [
        f"{parent.how.value} from {parent.name}{f': {parent.note}' if parent.note else ''}" for parent in record.parents
    ]
    children = [child.name for child in repository.descendants(record.id)]
    lessons = repository.antipatterns(record.name)[:LESSONS]
    lines = [
        f"{record.name} · {record.id} · {record.status.value}",
        record.card.strip(),
        *(
            ["Kept with: " + ", ".join(f"{name}={value}" for name, value in record.values.items())]
            * bool(record.values)
        ),
        "Tunables:" if declared else "It has no tunables.",
        *(f"- {tunable_text(each)}" for each in declared),
        *lineage,
        *([f"Made from it: {', '.join(children)}"] if children else []),
        *(["Measured:", *(f"- {standing_text(each)}" for each in standings[:STANDINGS])] if standings else []),
        *([f"({len(standings) - STANDINGS} more)"] if len(standings) > STANDINGS else []),
        *(f"Failed because: {hit_text(lesson)}" for lesson in lessons),
    ]
    return "\n".join(line for line in lines if line)


def report_text(report: VerifierReport) -> str:
    """Return a report of the verifier: a line for each stage, and below it what is needed to fix a failure."""
    lines = [line for stage in report.stages for line in _stage_lines(stage)]
    if report.token:
        lines.append(f"token: {report.token}")
    elif report.passed:
        lines.append("no token yet: that takes all stages (stages=full)")
    return "\n".join(lines)


def _stage_lines(stage: StageReport) -> list[str]:
    verdict = "passed" if stage.passed else "not finished, the host failed" if stage.infra_fault else "FAILED"
    lines = [f"{stage.stage.value}: {verdict}: {stage.summary}"]
    for finding in stage.findings[:FINDINGS]:
        at = f"line {finding.line}: " if finding.line else ""
        mark = "error" if finding.severity is Severity.ERROR else "warning"
        lines += [f"  {mark} {finding.rule}: {at}{finding.why}", f"    fix: {finding.fix}"]
    if len(stage.findings) > FINDINGS:
        lines.append(f"  ({len(stage.findings) - FINDINGS} more findings)")
    for figure in [each for each in stage.figures if not each.kept][:FINDINGS]:
        value = "none" if figure.value is None else f"{figure.value:g}"
        sign = "at least" if figure.at_least else "at most"
        lines.append(f"  {figure.case}: {figure.name} {value}, wanted {sign} {figure.limit:g}: {figure.why}")
    if not stage.passed and stage.evidence:
        lines += [f"  | {line}" for line in tokens.cut(stage.evidence, EVIDENCE_TOKENS).splitlines()]
    return lines


def report_data(report: VerifierReport) -> VerifiedData:
    """Return a report of the verifier as data, without the logs."""
    return {
        "passed": report.passed,
        "caught_at": report.caught_at.value if report.caught_at else None,
        "infra_fault": report.infra_fault,
        "summary": report.stages[-1].summary if report.stages else "",
        "token": report.token,
        "tunables": dict(report.tunables),
        "stages": [
            {
                "stage": stage.stage.value,
                "passed": stage.passed,
                "summary": stage.summary,
                "findings": stage.findings,
                "broken": [figure for figure in stage.figures if not figure.kept],
                "evidence": "" if stage.passed else tokens.cut(stage.evidence, EVIDENCE_TOKENS),
            }
            for stage in report.stages
        ],
    }


def named(policy: Policy) -> str:
    """Return a policy with its values, in a line."""
    return " ".join([policy.name, *(f"{name}={value}" for name, value in policy.tunables)])


def measured_data(
    workload: Workload,
    objective: Objective,
    policy: Policy,
    measured: Measurement,
    baseline: Measurement,
    reward: float,
    seed: int,
) -> MeasuredData:
    """Return a measurement against EEVDF as data; ``seed`` is the workload's."""
    changes = metric_changes(workload, objective, measured, baseline, None) if measured.ok else []
    return {
        "workload": workload.name,
        "policy": policy.name,
        "tunables": dict(policy.tunables),
        "outcome": measured.outcome.value,
        "message": measured.message,
        "reward": reward,
        "improvement": math.exp(reward),
        "metrics": dict(measured.metrics),
        "metrics_vs_eevdf": {change.name: change.ratio for change in changes},
        "eevdf": dict(baseline.metrics),
        "events": dict(measured.events),
        "utilisation": measured.utilisation,
        "workload_seed": seed,
    }


def measured_text(
    workload: Workload, objective: Objective, policy: str, measured: Measurement, baseline: Measurement, reward: float
) -> str:
    """Return a measurement against EEVDF as text."""
    if not measured.ok:
        log = tokens.cut(measured.log, EVIDENCE_TOKENS) if measured.log else ""
        lines = [f"{policy} on {workload.name}: {measured.outcome.value}, reward {reward:.2f}: {measured.message}"]
        return "\n".join([*lines, *(f"  | {line}" for line in log.splitlines())])
    lines = [
        f"{policy} on {workload.name}: {times(reward)} (reward {reward:+.3f}: log of the ratio, above 0 is better)"
    ]
    for change in metric_changes(workload, objective, measured, baseline, None):
        metric = workload.metrics[change.name]
        share = f", {100 * change.weight:.0f} % of the objective" if change.weight else ""
        floor = f", BELOW ITS FLOOR of {change.floor:g}x" if change.breaks_floor else ""
        figures = (
            f"{change.after:.6g} {metric.unit} (EEVDF {change.before:.6g}, {change.ratio:.3f}x better{share}{floor})"
        )
        lines.append(f"- {change.name}: {figures}")
    return "\n".join(lines)


def deployment_text(report: CanaryReport) -> str:
    """Return the outcome of a deployment as text."""
    lines = [f"{report.verdict.value}{f': {report.reason}' if report.reason else ''}"]
    for phase in report.phases:
        figures = ", ".join(f"{name} {value:.4g}" for name, value in phase.figures.items())
        lines.append(
            f"- {phase.name} at {phase.share_percent} %, {phase.canary_tasks} of {phase.tasks} tasks, "
            f"{phase.lasted_s:.2f} s{f': {figures}' if figures else ''}"
        )
    if report.revert_ms is not None:
        back = f"{report.in_charge} in charge {report.revert_ms:.0f} ms after the breach"
        lines.append(f"{back}, {report.tasks_lost} of {report.tasks_before} tasks lost")
    if report.metrics:
        lines.append("metrics: " + ", ".join(f"{name} {value:.6g}" for name, value in report.metrics.items()))
    return "\n".join(lines)
