"""What an agent tells a model of its task: the same words and figures for every agent.

A prompt holds figures as a JSON block, fenced, with keys like ``task`` and ``budget``, so that a model finds them and
the transcript can be read. Nothing in it depends on the host or its time, so on the virtual clock a run that goes on,
or is made again, asks the same.
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schedcp_gym.baselines.agent import Assignment
from schedcp_gym.envs.base import SchedEnv
from schedcp_gym.envs.render import objective_text
from schedcp_gym.envs.wrappers import Ledger
from schedcp_gym.llm import Client, prompt
from schedcp_gym.spec import EEVDF, MachineSpec

PROMPTS = Path(__file__).parent / "prompts"
#: Digits of a figure that a model gets to see: more is noise to it, and tokens.
DIGITS = 5
#: Process names that are told, those with most CPU time; the last place is for all others.
NAMES = 16


def task_of(given: Assignment) -> SchedEnv:
    """The environment of an assignment, without its wrappers."""
    task = given.env.unwrapped
    assert isinstance(task, SchedEnv)
    return task


def task_text(given: Assignment, *, processes: bool = True, budget: bool = True) -> str:
    """The task in words, with its block. Only after a reset: it holds EEVDF's figures on the episode's seed.

    Args:
        given: The assignment.
        processes: Whether to tell the processes' names and CPU time under EEVDF, which every reset shows.
        budget: Whether to tell what is left; without, the text is the same whenever it is asked for in an episode.
    """
    task = task_of(given)
    values: dict[str, Any] = {"task": task_block(task, processes=processes)}
    if budget:
        values["budget"] = budget_block(given.ledger, given.llm)
    return prompt("task", PROMPTS, objective=objective_text(task.workload, task.objective), task=json_block(values))


def writing_text() -> str:
    """How a policy is written here: headers, tunables, what ends one."""
    return prompt("writing", PROMPTS)


def task_block(task: SchedEnv, *, processes: bool = True) -> dict[str, Any]:
    """The task as plain values: workload, metrics with units and directions, objective, machine, EEVDF's figures."""
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
    """What is left; limits that are not set are left out, and so is host time: no two runs have the same."""
    left = _left(ledger)
    if llm is not None:
        limits = {"calls": "llm_calls_left", "tokens": "llm_tokens_left", "usd": "llm_usd_left"}
        left |= {told: llm.books.left()[name] for name, told in limits.items()}
    return {name: rounded(value) for name, value in left.items() if value is not None}


def evidence(info: Mapping[str, Any]) -> str:
    """Why an evaluation was not ``ok``: its message, and the lines of compiler, loader or kernel behind it."""
    message, log = info["message"].strip(), info["measurement"]["log"].strip()
    stage, _, gist = message.partition(": ")
    return f"{stage}:\n{log}" if gist and gist in log else f"{message}\n{log}".strip()


def json_block(values: Mapping[str, Any]) -> str:
    """Plain values as a fenced block for a prompt."""
    return f"```json\n{json.dumps(values, indent=1)}\n```"


def figures(values: Mapping[str, float]) -> dict[str, float]:
    """Figures by name, in order of name, with as many digits as a model is told."""
    return {name: rounded(values[name]) for name in sorted(values)}


def machine_of(machine: MachineSpec) -> dict[str, Any]:
    """Return what an agent is told of the machine; of one without a topology, what it was always told."""
    told: dict[str, Any] = {"cpus": machine.cpus, "memory_mib": machine.memory_mib}
    if machine.topology:
        told |= {
            "shape": machine.shape.describe(),
            "cpu_numbers": "threads of a core are neighbours, then cores of an LLC, then LLCs, then nodes",
            "cache_costs": dataclasses.asdict(machine.cache_model) if machine.cache_model else "none",
        }
    return told


def top_processes(cpu_s_by_name: Mapping[str, float]) -> dict[str, float]:
    """CPU seconds by process name, falling; those beyond the first are summed up."""
    ranked = sorted(cpu_s_by_name.items(), key=lambda item: (-item[1], item[0]))
    told = {name: rounded(spent) for name, spent in ranked[:NAMES]}
    if rest := ranked[NAMES:]:
        told[f"({len(rest)} others)"] = rounded(math.fsum(spent for _, spent in rest))
    return told


def rounded(value: float) -> float:
    """A figure with few digits; what is whole, or large, is a whole number."""
    if float(value).is_integer() or abs(value) >= 10**DIGITS:
        return round(value)
    return float(f"{value:.{DIGITS}g}")


def _left(ledger: Ledger) -> dict[str, float | None]:
    budget = ledger.budget
    evaluations = None if budget.evaluations is None else ledger.evaluations_left
    seconds = None if budget.virtual_s is None else max(0.0, budget.virtual_s - ledger.virtual_s)
    return {"evaluations_left": evaluations, "virtual_s_left": seconds}
