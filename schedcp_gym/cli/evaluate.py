"""``schedcp-gym evaluate``: one trial."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from schedcp_gym.cli.options import (
    NOT_OK,
    ClockOption,
    CpusOption,
    JsonOption,
    MachineOption,
    OtherKernelOption,
    ScaleOption,
    SeedOption,
    SetOption,
    pairs,
)
from schedcp_gym.spec import Measurement, Scale, Trial, Workload

if TYPE_CHECKING:
    from schedcp_gym.lab import Lab

EPILOG = (
    "Examples: [bold]schedcp-gym evaluate fifo schbench[/bold] · "
    "[bold]schedcp-gym evaluate ljf longtail --set favour=ember --seed 1[/bold] · "
    "[bold]schedcp-gym evaluate ./mine.bpf.c schbench --json[/bold] · "
    "[bold]schedcp-gym evaluate fifo schbench --clock real --precision 0.05[/bold]"
)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(evaluate)


def evaluate(
    policy: Annotated[str, typer.Argument(help="A policy's name, eevdf, or the path of a .bpf.c file.")],
    workload: Annotated[str, typer.Argument(help="A workload's name.")],
    scale: ScaleOption = Scale.SMOKE,
    tunables: SetOption = None,
    seed: SeedOption = 0,
    machine: MachineOption = "virtual",
    cpus: CpusOption = None,
    memory_mib: Annotated[int | None, typer.Option(min=512, max=8192, help="Memory of the machine.")] = None,
    clock: ClockOption = None,
    kernel: OtherKernelOption = None,
    max_job_s: Annotated[
        float | None, typer.Option(min=0.001, max=3600, help="Limit of guest time; the workload's own if not given.")
    ] = None,
    max_host_s: Annotated[float | None, typer.Option(min=1, max=36000, help="Limit of host time.")] = None,
    cold: Annotated[bool, typer.Option("--cold", help="Boot instead of restoring a snapshot; same result.")] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Measure even if the result is known.")] = False,
    precision: Annotated[
        float | None,
        typer.Option(min=0.001, max=1, help="Real clock: pairs with EEVDF until the reward is known this well (0.02)."),
    ] = None,
    budget_s: Annotated[float, typer.Option(min=1, help="Of --precision: host seconds after which to stop.")] = 600.0,
    as_json: JsonOption = False,
) -> None:
    """Run one trial: a policy on a workload. Exits with 0 if its outcome is ok."""
    from schedcp_gym import ui
    from schedcp_gym.lab import Lab, catalogue

    spec = catalogue.load_machine(
        machine,
        cpus=cpus,
        memory_mib=memory_mib,
        clock=clock,
        kernel=kernel,
        max_job_s=max_job_s,
        max_host_s=max_host_s,
    )
    trial = Trial(
        policy=catalogue.load_policy(policy, pairs(tunables or [])),
        workload=catalogue.load_workload(workload),
        machine=spec,
        scale=scale,
        seed=seed,
    )
    if precision is not None:
        with ui.build_progress() as report:
            lab = Lab(workers=1, report=report)
            lab.machine(spec)
        _in_pairs(lab, trial, precision, budget_s, as_json=as_json)
        return
    with ui.build_progress() as report:
        measurement = Lab(workers=1, cache=not no_cache, cold=cold, report=report).measure([trial])[0]
    if as_json:
        _print_json(measurement)
    else:
        _print_measurement(trial, measurement)
    if not measurement.ok:
        raise typer.Exit(NOT_OK)


def _in_pairs(lab: "Lab", trial: Trial, precision: float, budget_s: float, *, as_json: bool) -> None:
    """Measures in pairs with EEVDF, a line for each, and prints what they say."""
    import math

    from schedcp_gym.lab.pairs import Pair, Precision, measure_pairs
    from schedcp_gym.ui import harmless

    def tell(pair: Pair) -> None:
        why = "disturbed by the host, does not count" if pair.contaminated else pair.measured.message or "host failed"
        text = why if pair.reward is None or not pair.measured.ok else f"{math.exp(pair.reward):.3f}x"
        print(f"pair: {harmless(text)} · {_host_text(pair.measured)}", file=sys.stderr)

    found = measure_pairs(lab, trial, precision=Precision(half_width=precision, budget_s=budget_s), done=tell)
    counted = sum(pair.reward is not None for pair in found.pairs)
    known = math.isfinite(found.half_width)
    if as_json:
        plain = {"reward": found.reward, "half_width": found.half_width if known else None, "ended": found.ended}
        print(json.dumps({**plain, "pairs": len(found.pairs), "counted": counted}, indent=1))
    elif found.reward is not None:
        low, high = (math.exp(found.reward + sign * found.half_width) if known else math.nan for sign in (-1, 1))
        print(
            f"{trial.policy.name} on {trial.workload.name}: {math.exp(found.reward):.3f}x EEVDF, 95 % interval "
            f"{low:.3f}x to {high:.3f}x · {counted} of {len(found.pairs)} pairs count · ended: {found.ended}"
        )
    if found.reward is None:
        print(f"none of {len(found.pairs)} pairs counts: the host was busy, or failed", file=sys.stderr)
    if found.reward is None or found.ended == "failed":
        raise typer.Exit(NOT_OK)


def _host_text(measurement: Measurement) -> str:
    host = measurement.host
    shares = ", ".join(f"{name} {100 * host.get(f'{name}_share', 0):.1f} %" for name in ("steal", "others"))
    return f"{shares}, load {host.get('load', 0):.1f}"


def _print_json(measurement: Measurement) -> None:
    from pydantic import TypeAdapter

    print(json.dumps(TypeAdapter(Measurement).dump_python(measurement, mode="json"), indent=1))


def _print_measurement(trial: Trial, measurement: Measurement) -> None:
    from schedcp_gym.spec.cache_costs import cost_lines
    from schedcp_gym.ui import harmless

    if not measurement.ok:
        if measurement.log:
            print(harmless(measurement.log.strip()[-4000:]), file=sys.stderr)
        print(harmless(f"{measurement.outcome.value}: {measurement.message}"), file=sys.stderr)
        return
    _print_metrics(trial.workload, measurement)
    source = "from the cache" if measurement.cached else "host seconds"
    timings = ", ".join(f"{name} {spent:.2f}" for name, spent in measurement.timings_s.items())
    machine = trial.machine.describe()
    named = f"{trial.policy.name} on {trial.workload.name} ({trial.scale.value}, seed {trial.seed}; {machine})"
    print(f"{named}: ok · {source}: {timings}")
    if measurement.host:
        print(f"host: {_host_text(measurement)}" + (" · too much: measure again" if measurement.contaminated else ""))
    for line in cost_lines(measurement.caches):
        print(f"caches: {harmless(line)}")
    if measurement.events:
        print("events: " + ", ".join(f"{name} {count}" for name, count in measurement.events.items()))


def _print_metrics(workload: Workload, measurement: Measurement) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for heading, justify in (("metric", "left"), ("value", "right"), ("unit", "left"), ("better", "left")):
        table.add_column(heading, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("what", overflow="fold")
    for name, metric in workload.metrics.items():
        better = "less" if metric.direction == "minimize" else "more"
        style = "bold" if name in workload.objective.weights else ""
        value = f"{measurement.metrics[name]:,.3f}"
        table.add_row(name, value, metric.unit, better, metric.description, style=style)
    if measurement.utilisation is not None:
        share = f"{100 * measurement.utilisation:.1f}"
        table.add_row("utilisation", share, "%", "", "share of the CPUs' time spent busy")
    Console().print(table)
