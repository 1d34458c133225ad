"""The description of a task for a model: the same words and figures for every agent.

A prompt holds figures as a fenced JSON block with keys like ``task`` and ``budget``. Nothing in it depends on the host
or its time, so on the virtual clock a run that is resumed or repeated asks the same questions.
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schedcp_gym.baselines.agent import Assignment
from schedcp_gym.envs.base import SchedEnv
from schedcp_gym.envs.render import objective_text
from schedcp_gym.envs.wrappers import Ledger
from schedcp_gym.llm import Client, prompt
from schedcp_gym.spec import EEVDF, MachineSpec

PROMPTS = Path(__file__).parent / "prompts"
#: Digits of a figure in a prompt: more cost tokens and help nothing.
DIGITS = 5
#: Limit of the process names in a prompt, those with most CPU time first; the others are added up.
NAMES = 16


@dataclass(frozen=True)
class Brief:
    """The description of a task.

    Attributes:
        text: For a model.
        data: The plain values in its JSON block: ``task`` and, if asked for, ``budget``.
    """

    text: str
    data: Mapping[str, Any]


def task_of(given: Assignment) -> SchedEnv:
    """Return the environment of an assignment, without its wrappers."""
    task = given.env.unwrapped
    assert isinstance(task, SchedEnv)
    return task


def brief(given: Assignment, *, processes: bool = True, budget: bool = True) -> Brief:
    """Return the description of the task. Call it after a reset: it has EEVDF's figures on the episode's seed.

    Args:
        given: The assignment.
        processes: Whether to include the processes' names and CPU time under EEVDF, which every reset shows.
        budget: Whether to include the rest of the budget; without it, the text is the same during a whole episode.
    """
    task = task_of(given)
    values: dict[str, Any] = {"task": task_block(task, processes=processes)}
    if budget:
        values["budget"] = budget_block(given.ledger, given.llm)
    objective = objective_text(task.workload, task.objective)
    return Brief(prompt("task", PROMPTS, objective=objective, task=json_block(values)), values)


def writing_text() -> str:
    """Return the rules for writing a policy: headers, tunables, what ends one."""
    return prompt("writing", PROMPTS)


def task_block(task: SchedEnv, *, processes: bool = True) -> dict[str, Any]:
    """Return the task as plain values: workload, metrics, objective, machine, EEVDF's figures."""
    workload, objective, baseline = task.workload, task.objective, task.baseline
    assert baseline is not None, "reset first"
    block: dict[str, Any] = {
        "workload": workload.name,
        "title": workload.title,
        "description": " ".join(workload.description.split()),
        "scale": task.scale.value,
        "parameters": workload.parameters(task.scale, task.machine.cpus),
        "machine": machine_of(task.machine),
        "metrics": {
            name: {"unit": metric.unit, "direction": metric.direction.value, "description": metric.description}
            for name, metric in sorted(workload.metrics.items())
        },
        "objective": {"weights": dict(objective.weights), "floors": dict(objective.floors), "bound": objective.bound},
        "baseline": {"policy": EEVDF, "metrics": figures(baseline.metrics)},
    }
    if processes:
        block["cpu_s_by_process"] = top_processes(baseline.cpu_s_by_name)
    return block


def budget_block(ledger: Ledger, llm: Client | None = None) -> dict[str, Any]:
    """Return the rest of the budget, without unset limits and without host time, which differs between runs."""
    left = _left(ledger)
    if llm is not None:
        limits = {"calls": "llm_calls_left", "tokens": "llm_tokens_left", "usd": "llm_usd_left"}
        left |= {told: llm.books.left()[name] for name, told in limits.items()}
    return {name: rounded(value) for name, value in left.items() if value is not None}


def evidence(info: Mapping[str, Any]) -> str:
    """Return why an evaluation was not ``ok``: its message, and the lines of compiler, loader or kernel."""
    message, log = info["message"].strip(), info["measurement"]["log"].strip()
    stage, _, gist = message.partition(": ")
    return f"{stage}:\n{log}" if gist and gist in log else f"{message}\n{log}".strip()


def json_block(values: Mapping[str, Any]) -> str:
    """Return plain values as a fenced block for a prompt."""
    return f"```json\n{json.dumps(values, indent=1)}\n```"


def figures(values: Mapping[str, float]) -> dict[str, float]:
    """Return figures in order of name, with few digits."""
    return {name: rounded(values[name]) for name in sorted(values)}


def machine_of(machine: MachineSpec) -> dict[str, Any]:
    """Return the machine as plain values, with its shape and cache costs where it has a topology."""
    told: dict[str, Any] = {"cpus": machine.cpus, "memory_mib": machine.memory_mib}
    if machine.topology:
        told |= {
            "shape": machine.shape.describe(),
            "cpu_numbers": "threads of a core are neighbours, then cores of an LLC, then LLCs, then nodes",
            "cache_costs": dataclasses.asdict(machine.cache_model) if machine.cache_model else "none",
        }
    return told


def top_processes(cpu_s_by_name: Mapping[str, float]) -> dict[str, float]:
    """Return CPU seconds by process name, the most first; all but the first names are added up."""
    ranked = sorted(cpu_s_by_name.items(), key=lambda item: (-item[1], item[0]))
    told = {name: rounded(spent) for name, spent in ranked[:NAMES]}
    if rest := ranked[NAMES:]:
        told[f"({len(rest)} others)"] = rounded(math.fsum(spent for _, spent in rest))
    return told


def rounded(value: float) -> float:
    """Return a figure with few digits; a whole or large one becomes a whole number."""
    if float(value).is_integer() or abs(value) >= 10**DIGITS:
        return round(value)
    return float(f"{value:.{DIGITS}g}")


def _left(ledger: Ledger) -> dict[str, float | None]:
    budget = ledger.budget
    evaluations = None if budget.evaluations is None else ledger.evaluations_left
    seconds = None if budget.virtual_s is None else max(0.0, budget.virtual_s - ledger.virtual_s)
    return {"evaluations_left": evaluations, "virtual_s_left": seconds}
