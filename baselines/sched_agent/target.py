"""The target of a run, from the environment."""

from schedcp_gym.baselines.sched_agent.messages import Goal, Target
from schedcp_gym.envs.base import SchedEnv
from schedcp_gym.envs.observation import processes

#: Limit of process names; the others use hardly any CPU time.
_NAMES = 8


def target_of(task: SchedEnv) -> Target:
    """Return the task for the roles: the metrics of the objective, and EEVDF's values on the episode's seed."""
    assert task.baseline is not None
    objective, total = task.objective, sum(task.objective.weights.values())
    goals: list[Goal] = []
    for name in dict.fromkeys([*objective.weights, *objective.floors]):
        metric = task.workload.metrics[name]
        goals.append(
            Goal(
                metric=name,
                direction=metric.direction.value,
                unit=metric.unit,
                weight=round(objective.weights.get(name, 0.0) / total, 4),
                eevdf=task.baseline.metrics[name],
                floor=objective.floors.get(name),
                best_possible=task.baseline.metrics[objective.bound] if objective.bound and not goals else None,
            )
        )
    names = list(processes(task.baseline).items())[:_NAMES]
    return Target(
        workload=task.workload.name,
        cpus=task.machine.cpus,
        goals=tuple(goals),
        processes_cpu_s={name: round(spent, 4) for name, spent in names},
    )
