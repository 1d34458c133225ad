"""What workloads there are."""

from typing import TYPE_CHECKING, Any

from schedcp_gym.control.repository.classes import class_of
from schedcp_gym.control.server.answer import Answer
from schedcp_gym.control.server.arguments import WorkloadArgument
from schedcp_gym.control.server.call import Call
from schedcp_gym.control.server.tool import tool
from schedcp_gym.lab.catalogue import find_objective
from schedcp_gym.spec import Direction, Objective, Workload

if TYPE_CHECKING:
    from schedcp_gym.control.server.plane import ControlPlane


@tool()
def list_workloads(call: Call) -> Answer:
    """The workloads that can be observed and scheduled: name, class, what it is, objective. Costs nothing."""
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
    return Answer("\n".join(lines), {"workloads": rows})


@tool()
def describe_workload(call: Call, workload: WorkloadArgument) -> Answer:
    """What a workload is: description, metrics with units, objective, and what it runs with here. Costs nothing.

    The objective says what counts: the weighted log of each metric's improvement ratio over EEVDF. A metric below its
    floor earns nothing. A bound is the best value that is possible at all.
    """
    found = call.plane.workload(workload)
    data = description_of(call.plane, workload)
    return Answer(_text(found, find_objective(found, call.plane.objective), data), data)


def description_of(plane: "ControlPlane", workload: str) -> dict[str, Any]:
    """A workload as plain values.

    Raises:
        BadInput: There is none of the name here.
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
