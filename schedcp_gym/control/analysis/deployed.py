"""Feedback on a policy from the engine: measures what is missing, traces who waited, and says what changed."""

import dataclasses
import time
from typing import TYPE_CHECKING

from schedcp_gym.control.analysis.feedback import Run, feed_back
from schedcp_gym.control.analysis.report import Analysis
from schedcp_gym.lab import catalogue
from schedcp_gym.spec import EEVDF, Objective, Outcome, Policy, SchedcpError, Workload

if TYPE_CHECKING:
    from schedcp_gym.control.analysis.engine import Analyzer


def feedback(
    analyzer: "Analyzer",
    workload: str | Workload,
    policy: str | Policy,
    last: str | Policy | None = None,
    *,
    objective: str | Objective | None = None,
    traced: bool = True,
) -> Analysis:
    """Tier 3: what a policy changes on a workload, against EEVDF and against the last policy.

    Args:
        analyzer: Machine, scale and seed.
        workload: The workload, or its name.
        policy: The policy, its name or the path of its source.
        last: The policy before it.
        objective: One, or the name of one that the workload declares; None: its own.
        traced: Whether the policy and EEVDF are traced too (unless that is known already), for who waited.

    Raises:
        BadInput: There is no such workload, policy or objective.
        SchedcpError: EEVDF could not be measured.
    """
    began = time.monotonic()
    trials = [analyzer.trial(workload, each) for each in (policy, EEVDF, *([last] if last else []))]
    policies, declared = [trial.policy for trial in trials], trials[0].workload
    wanted = catalogue.find_objective(declared, objective)
    measured = analyzer.lab.measure(trials)
    if not measured[1].ok:
        raise SchedcpError(f"EEVDF on {declared.name}: {measured[1].outcome}: {measured[1].message}")
    if measured[0].outcome is Outcome.INFRA_FAULT:
        raise SchedcpError(f"the host failed: {measured[0].message}")
    look = traced and measured[0].ok and not policies[0].is_eevdf
    summaries = [analyzer.summary(declared, each) for each in policies[:2]] if look else [None, None]
    runs = [Run(named(each), one) for each, one in zip(policies, measured, strict=True)]
    now, eevdf = (dataclasses.replace(run, summary=seen) for run, seen in zip(runs, summaries, strict=False))
    found = feed_back(declared, now, eevdf, runs[2] if last else None, objective=wanted)
    cached = all(one.cached for one in measured) and all(seen.cached for seen in summaries if seen)
    return dataclasses.replace(found, host_s=round(time.monotonic() - began, 3), cached=cached)


def named(policy: Policy) -> str:
    """A policy's name, with the tunables that are set."""
    return " ".join([policy.name, *(f"{name}={value}" for name, value in policy.tunables)])
