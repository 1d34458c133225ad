"""The table of an episode, as text."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table

from schedcp_gym.spec import Direction, Measurement, Objective, Policy, Workload, improvement
from schedcp_gym.spec.policy import Value

WIDTH = 130


@dataclass(frozen=True)
class Step:
    """One step of an episode."""

    policy: Policy
    measured: Measurement
    reward: float


def tunables_text(tunables: Sequence[tuple[str, Value]]) -> str:
    """Return tunables in one line: ``slice_us=3000 strict=true``."""
    return " ".join(f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in tunables)


def objective_text(workload: Workload, objective: Objective) -> str:
    """Return the objective in words: ``p99_request_us (less is better); floors: requests_per_s 0.95x``."""
    words = {Direction.MINIMIZE: "less is better", Direction.MAXIMIZE: "more is better"}
    total = sum(objective.weights.values())
    parts = []
    for name, weight in objective.weights.items():
        share = "" if len(objective.weights) == 1 else f"{100 * weight / total:.0f} % "
        parts.append(f"{share}{name} ({words[workload.metrics[name].direction]})")
    floors = [f"{name} {times_text(math.log(floor))}" for name, floor in objective.floors.items()]
    return ", ".join(parts) + (f"; floors: {', '.join(floors)}" if floors else "")


def episode_text(
    workload: Workload,
    objective: Objective,
    workload_seed: int,
    baseline: Measurement | None,
    steps: Sequence[Step],
) -> str:
    """Return the table of an episode: a row for EEVDF, then a row for each step."""
    metric = next(iter(objective.weights))
    table = Table(
        title=f"{workload.name}, seed {workload_seed}: {objective_text(workload, objective)}",
        box=box.SIMPLE_HEAD,
        title_justify="left",
    )
    for heading in ("step", "policy", "tunables", "outcome"):
        table.add_column(heading, overflow="fold")
    for heading in (metric, "vs EEVDF", "reward"):
        table.add_column(heading, justify="right", no_wrap=True)
    if baseline:
        table.add_row("-", "eevdf", "", "ok", f"{baseline.metrics[metric]:,.3f}", "1.00x", f"{0:.3f}")
        for number, step in enumerate(steps, 1):
            table.add_row(str(number), *_cells(workload, metric, baseline, step))
    target = io.StringIO()
    Console(file=target, width=WIDTH, force_terminal=False, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in target.getvalue().splitlines())


def _cells(workload: Workload, metric: str, baseline: Measurement, step: Step) -> list[str]:
    if not step.measured.ok:
        figures = ["-", "-"]
    else:
        ratio = improvement(workload, metric, step.measured.metrics[metric], baseline.metrics[metric])
        figures = [f"{step.measured.metrics[metric]:,.3f}", times_text(math.log(ratio))]
    policy = step.policy
    return [policy.name, tunables_text(policy.tunables), step.measured.outcome, *figures, f"{step.reward:.3f}"]


def times_text(log_ratio: float) -> str:
    """Return a log improvement ratio as a factor: ``1.40x``. Above 1 is better than EEVDF."""
    return f"{math.exp(log_ratio):.2f}x"
