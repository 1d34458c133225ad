"""A measurement as a result of the repository."""

from typing import Literal

from schedcp_gym.control.repository.classes import class_of
from schedcp_gym.control.repository.records import ResultRecord, machine_label
from schedcp_gym.lab.catalogue import find_objective
from schedcp_gym.spec import Measurement, Objective, Outcome, Trial, reward
from schedcp_gym.spec.digest import digest


def result_of(
    trial: Trial,
    measured: Measurement,
    baseline: Measurement | None = None,
    *,
    policy: str | None = None,
    objective: str | Objective | None = None,
    origin: Literal["trial", "deployment"] = "trial",
) -> ResultRecord:
    """What a trial gave, as the repository keeps it.

    Args:
        trial: What was measured; its policy's values go with the result.
        measured: What it gave.
        baseline: EEVDF's measurement of the same workload, machine and seed; without one there is no reward.
        policy: The policy record's name or id; the trial's policy's name if not given.
        objective: What to score by: a name of the workload's, or one's own, which is kept by its digest; the
            workload's if not given.
        origin: A trial, or a deployment.

    Raises:
        BadInput: The workload has no such objective.
    """
    chosen = find_objective(trial.workload, objective)
    scored = baseline is not None and baseline.ok and measured.outcome is not Outcome.INFRA_FAULT
    return ResultRecord(
        policy=policy or trial.policy.name,
        workload=trial.workload.name,
        workload_class=class_of(trial.workload, chosen),
        objective=f"own-{digest(objective)[:12]}" if isinstance(objective, Objective) else objective or "",
        scale=trial.scale,
        seed=trial.seed,
        values=dict(trial.policy.tunables),
        machine=machine_label(trial.machine),
        kernel=trial.machine.kernel,
        outcome=measured.outcome,
        metrics=measured.metrics,
        reward=reward(trial.workload, measured, baseline, chosen) if scored and baseline else None,
        origin=origin,
        trial=trial.digest,
        message=measured.message[:2000],
    )
