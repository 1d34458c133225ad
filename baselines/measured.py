"""What an evaluation came to, as an agent is told: plain values, and a few lines for a model."""

import math
from collections.abc import Mapping
from typing import Any

from schedcp_gym.baselines.briefing import evidence, figures, rounded
from schedcp_gym.envs.base import SchedEnv
from schedcp_gym.envs.render import times_text
from schedcp_gym.llm import tokens
from schedcp_gym.spec import Direction, improvement

#: Tokens of a compiler's or kernel's lines that a model gets to see.
EVIDENCE_TOKENS = 1200


def measured_data(task: SchedEnv, info: Mapping[str, Any], reward: float) -> dict[str, Any]:
    """An evaluation as plain values: all that a step has to say, figures against EEVDF's included.

    Args:
        task: The environment.
        info: Of the step.
        reward: Of the step.
    """
    metrics, baseline = info["measurement"]["metrics"], info["baseline"]["metrics"]
    is_ok = info["outcome"] == "ok"
    names = sorted(task.workload.metrics) if is_ok else []
    gained = {name: improvement(task.workload, name, metrics[name], baseline[name]) for name in names}
    return {
        "workload": task.workload.name,
        "tunables": dict(info["tunables"]),
        "outcome": info["outcome"],
        "message": info["message"],
        "reward": rounded(reward),
        "improvement": rounded(math.exp(reward)),
        "metrics": figures({name: metrics[name] for name in names}),
        "metrics_vs_eevdf": figures(gained),
        "eevdf": figures(baseline),
    }


def measured_text(task: SchedEnv, info: Mapping[str, Any], reward: float) -> str:
    """An evaluation in a few lines for a model: the objective first, or what was wrong.

    Args:
        task: The environment.
        info: Of the step.
        reward: Of the step.
    """
    if info["outcome"] != "ok":
        said = tokens.cut(evidence(info), EVIDENCE_TOKENS)
        return f"{info['outcome']} (reward {rounded(reward):g}, the lowest): {said}"
    data = measured_data(task, info, reward)
    lines = [f"ok: {times_text(reward)} of EEVDF by the objective (reward {data['reward']:g}; above 0 is better)"]
    weighted = list(task.objective.weights)
    for name in [*weighted, *(each for each in data["metrics"] if each not in weighted)]:
        if name == task.objective.bound:
            continue
        direction = "less" if task.workload.metrics[name].direction is Direction.MINIMIZE else "more"
        gained = times_text(math.log(data["metrics_vs_eevdf"][name]))
        value, eevdf = data["metrics"][name], data["eevdf"][name]
        lines.append(f"{name}: {value:,} (EEVDF {eevdf:,}; {direction} is better: {gained})")
    return "\n".join(lines)
