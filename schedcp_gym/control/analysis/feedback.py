"""Tier 3: measure a policy, and describe what it changed, for the author of the next policy."""

import dataclasses
from collections.abc import Callable
from typing import Any

from schedcp_gym.control.analysis.differences import metric_changes
from schedcp_gym.control.analysis.evidence import decisive_lines, reason_of
from schedcp_gym.control.analysis.feedback_text import Run, class_changes, failure_lines, success_lines, verdict
from schedcp_gym.control.analysis.report import Analysis, Tier
from schedcp_gym.lab import Lab, catalogue
from schedcp_gym.llm import tokens
from schedcp_gym.spec import EEVDF, Objective, Outcome, Policy, SchedcpError, Trial, Workload, reward

#: The text has fewer tokens than this. The least important lines are left out.
TOKEN_LIMIT = 400


def measure_feedback(
    lab: Lab,
    trial: Trial,
    last: Policy | None = None,
    *,
    objective: str | Objective | None = None,
    summary: Callable[[Trial], Analysis] | None = None,
) -> Analysis:
    """Measure a policy, EEVDF and the last policy, and describe what changed.

    Args:
        lab: Runs the trials. Stored measurements are used again.
        trial: The policy's trial.
        last: The policy tried before this one; None if there is none.
        objective: An objective, or the name of one that the workload declares; None: the workload's own.
        summary: Return the summary of a traced run of a trial. It is called for the policy and for EEVDF, if the policy
            ran to its end. None: without traces, so without the time that tasks waited.

    Raises:
        BadInput: The objective does not exist.
        SchedcpError: EEVDF could not be measured, or the host failed.
    """
    wanted = catalogue.find_objective(trial.workload, objective)
    policies = [trial.policy, catalogue.load_policy(EEVDF, {}), *([last] if last else [])]
    trials = [dataclasses.replace(trial, policy=each) for each in policies]
    measured = lab.measure(trials)
    if not measured[1].ok:
        raise SchedcpError(f"EEVDF on {trial.workload.name}: {measured[1].outcome}: {measured[1].message}")
    if measured[0].outcome is Outcome.INFRA_FAULT:
        raise SchedcpError(f"the host failed: {measured[0].message}")
    traced = summary if measured[0].ok and not trial.policy.is_eevdf else None
    runs = [
        Run(_label(one.policy), result, traced(one) if traced and place < 2 else None)
        for place, (one, result) in enumerate(zip(trials, measured, strict=True))
    ]
    found = write_feedback(trial.workload, *runs, objective=wanted)
    cached = all(run.measured.cached and (run.summary is None or run.summary.cached) for run in runs)
    return dataclasses.replace(found, cached=cached)


def write_feedback(
    workload: Workload,
    now: Run,
    eevdf: Run,
    last: Run | None = None,
    *,
    objective: Objective | None = None,
    limit: int = TOKEN_LIMIT,
) -> Analysis:
    """Describe what a policy changed against EEVDF, and against the last policy.

    Args:
        workload: The workload of all runs.
        now: The policy's run.
        eevdf: EEVDF's run, with the same machine and seed.
        last: The last policy's run; None if there is none.
        objective: Replaces the workload's own.
        limit: The text has fewer tokens than this.

    Returns:
        An analysis. Its ``data`` is ``{"policy", "outcome", "reward", "last_reward", "events"}``; with a cache model
        also ``caches``; after success ``metrics`` and ``classes``, after a failure ``reason`` and ``evidence``.

    Raises:
        ValueError: EEVDF's measurement is not ok, so there is nothing to compare with.
    """
    objective = objective or workload.objective
    measured = now.measured
    gained = reward(workload, measured, eevdf.measured, objective)
    before = None if last is None else reward(workload, last.measured, eevdf.measured, objective)
    data: dict[str, Any] = {
        "policy": now.policy,
        "outcome": measured.outcome.value,
        "reward": gained,
        "last_reward": before,
        "events": measured.events,
    }
    if measured.caches:
        data["caches"] = measured.caches
    if measured.ok:
        metrics = metric_changes(workload, objective, measured, eevdf.measured, last.measured if last else None)
        classes = class_changes(now, eevdf)
        lines = success_lines(workload, objective, now, eevdf, metrics, classes)
        data["metrics"] = [dataclasses.asdict(change) for change in metrics]
        data["classes"] = [dataclasses.asdict(change) for change in classes]
    else:
        lines = failure_lines(measured)
        data |= {"reason": reason_of(measured), "evidence": decisive_lines(measured)}
    text = _shortened([(100.0, verdict(workload, now, last, gained, before)), *lines], limit)
    return Analysis(
        tier=Tier.FEEDBACK,
        name="feedback",
        workload=workload.name,
        text=text,
        data=data,
        tokens=tokens.count(text),
        guest_s=measured.job_s or 0.0,
        digests=measured.digests,
    )


def _label(policy: Policy) -> str:
    """Return a policy's name, followed by the tunables that are set."""
    return " ".join([policy.name, *(f"{name}={value}" for name, value in policy.tunables)])


def _shortened(lines: list[tuple[float, str]], limit: int) -> str:
    """Return the lines as a text, without those of the smallest weights that exceed the limit of tokens."""
    kept = [(weight, place, line) for place, (weight, line) in enumerate(lines) if line]
    while tokens.count(text := "\n".join(line for _, _, line in kept)) >= limit and len(kept) > 1:
        kept.remove(min(kept, key=lambda entry: (entry[0], -entry[1])))
    return text
