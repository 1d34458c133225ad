"""Tools that list and describe workloads."""

from typing import TYPE_CHECKING, Any

from schedcp_gym.control.repository.classes import class_of
from schedcp_gym.control.server.arguments import WorkloadArgument
from schedcp_gym.control.server.call import Call
from schedcp_gym.control.server.tool import tool
from schedcp_gym.lab.catalogue import find_objective
from schedcp_gym.llm import ToolResult
from schedcp_gym.spec import Direction, Objective, Workload

if TYPE_CHECKING:
    from schedcp_gym.control.server.plane import ControlPlane


@tool()
def list_workloads(call: Call) -> ToolResult:
    """List the workloads that can be observed and scheduled: name, class, title, objective. Costs nothing."""
    workloads = [call.plane.workload(name) for name in call.plane.workload_names()]
    rows = [
        {
            "workload": each.name,
            "class": class_of(each),
            "title": each.title,
            "objective": list(each.objective.weights),
        }
        for each in workloads
    ]
    lines = [f"{row['workload']} ({row['class']}): {row['title']}; {', '.join(row['objective'])}" for row in rows]
    return ToolResult({"workloads": rows}, "\n".join(lines))


@tool()
def describe_workload(call: Call, workload: WorkloadArgument) -> ToolResult:
    """Describe a workload: description, metrics with units, objective, and its parameters here. Costs nothing.

    The objective is the weighted log of each metric's improvement ratio over EEVDF. If a metric is below its
    floor, no gain counts. A bound is the best possible value.
    """
    found = call.plane.workload(workload)
    data = description_of(call.plane, workload)
    return ToolResult(data, _text(found, find_objective(found, call.plane.objective), data))


def description_of(plane: "ControlPlane", workload: str) -> dict[str, Any]:
    """Return a workload as data.

    Raises:
        BadInput: There is no such workload here.
    """
    found = plane.workload(workload)
    objective = find_objective(found, plane.objective)
    spec = plane.machine
    machine = {"cpus": spec.cpus, "memory_mib": spec.memory_mib, "clock": spec.clock.value}
    if spec.topology:
        machine |= {
            "topology": spec.topology,
            "shape": spec.shape.describe(),
            "cold_caches_cost": bool(spec.cache_model),
        }
    return {
        "workload": found.name,
        "class": class_of(found, objective),
        "title": found.title,
        "description": found.description,
        "metrics": {
            name: {"unit": metric.unit, "direction": metric.direction.value, "description": metric.description}
            for name, metric in found.metrics.items()
        },
        "objective": {"weights": objective.weights, "bound": objective.bound, "floors": objective.floors},
        "scale": plane.scale.value,
        "parameters": found.parameters(plane.scale, plane.machine.cpus),
        "command": found.arguments(found.command, plane.scale, plane.seed, plane.machine.cpus),
        "machine": machine,
    }


def _text(workload: Workload, objective: Objective, data: dict[str, Any]) -> str:
    def told(name: str) -> str:
        metric = workload.metrics[name]
        way = "less" if metric.direction is Direction.MINIMIZE else "more"
        return f"- {name} ({metric.unit}, {way} is better): {metric.description}"

    total = sum(objective.weights.values())
    counts = ", ".join(f"{100 * weight / total:.0f} % {name}" for name, weight in objective.weights.items())
    lines = [
        f"{workload.name}, class {data['class']}: {workload.title}",
        " ".join(workload.description.split()),
        f"Objective: {counts}.",
        *(f"Floor: {name} must stay at {floor:g} of EEVDF's or better." for name, floor in objective.floors.items()),
        *([f"Bound: {objective.bound} is the best possible."] if objective.bound else []),
        "Metrics:",
        *map(told, workload.metrics),
        f"Run here at scale {data['scale']} on {data['machine']['cpus']} CPUs: {' '.join(data['command'])}",
    ]
    return "\n".join(lines)
