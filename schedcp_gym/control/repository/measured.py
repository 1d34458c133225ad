"""Make a result of the repository from a measurement."""

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
    """Return a measurement as a result of the repository.

    Args:
        trial: The trial. The values of its policy become part of the result.
        measured: The trial's measurement.
        baseline: EEVDF's measurement of the same workload, machine and seed. Without one there is no reward.
        policy: Name or id of the policy's record; by default the name of the trial's policy.
        objective: The objective that gives the reward: the name of one of the workload's, or another one, which is
            named by its digest. By default the workload's own.
        origin: Whether it was a trial or a deployment.

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
