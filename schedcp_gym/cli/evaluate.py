"""The command ``schedcp-gym evaluate``: run one trial."""

import math
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from schedcp_gym.cli import options
from schedcp_gym.spec import Measurement, Scale, Trial, Workload

if TYPE_CHECKING:
    from schedcp_gym.lab import Lab

#: Characters of a failed trial's log that are printed.
LOG_LIMIT = 4000


@options.command(
    "schedcp-gym evaluate fifo schbench",
    "schedcp-gym evaluate ljf longtail --set favour=ember --seed 1",
    "schedcp-gym evaluate ./mine.bpf.c schbench --json",
    "schedcp-gym evaluate fifo schbench --clock real --precision 0.05",
)
def evaluate(
    policy: Annotated[str, typer.Argument(help="A policy's name, eevdf, or the path of a .bpf.c file.")],
    workload: Annotated[str, typer.Argument(help="A workload's name.")],
    scale: options.ScaleOption = Scale.SMOKE,
    tunables: options.SetOption = None,
    seed: options.SeedOption = 0,
    machine: options.MachineOption = "virtual",
    cpus: options.CpusOption = None,
    memory_mib: Annotated[int | None, typer.Option(min=512, max=8192, help="Memory of the machine.")] = None,
    clock: options.ClockOption = None,
    kernel: options.OtherKernelOption = None,
    max_job_s: Annotated[
        float | None, typer.Option(min=0.001, max=3600, help="Limit of guest time (default: the workload's).")
    ] = None,
    max_host_s: Annotated[float | None, typer.Option(min=1, max=36000, help="Limit of host time.")] = None,
    cold: Annotated[
        bool, typer.Option("--cold", help="Boot the machine instead of restoring a snapshot; the result is the same.")
    ] = False,
    no_cache: options.NoCacheOption = False,
    precision: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=1,
            help="Real clock: measure in pairs with EEVDF until the reward's 95 % interval is ± this (like 0.02).",
        ),
    ] = None,
    budget_s: Annotated[float, typer.Option(min=1, help="With --precision: stop after so many host seconds.")] = 600.0,
    as_json: options.JsonOption = False,
) -> None:
    """Run one trial: a policy on a workload. The exit status is 0 if its outcome is ok."""
    from schedcp_gym import ui
    from schedcp_gym.lab import Lab, catalogue
    from schedcp_gym.printing import print_json

    spec = catalogue.load_machine(
        machine,
        cpus=cpus,
        memory_mib=memory_mib,
        clock=clock,
        kernel=kernel,
        max_job_s=max_job_s,
        max_host_s=max_host_s,
    )
    loaded = catalogue.load_policy(policy, options.pairs(tunables)), catalogue.load_workload(workload)
    trial = Trial(*loaded, machine=spec, scale=scale, seed=seed)
    if precision is not None:
        _in_pairs(options.open_lab(spec, snapshot=False, workers=1), trial, precision, budget_s, as_json=as_json)
        return
    with ui.build_progress() as report:
        measurement = Lab(workers=1, cache=not no_cache, cold=cold, report=report).measure([trial])[0]
    if as_json:
        print_json(measurement)
    else:
        _print(trial, measurement)
    if not measurement.ok:
        raise typer.Exit(options.NOT_OK)


def _in_pairs(lab: "Lab", trial: Trial, precision: float, budget_s: float, *, as_json: bool) -> None:
    """Measure a trial in pairs with EEVDF, print a line for each pair, and then the interval."""
    from schedcp_gym.lab.pairs import Pair, Precision, measure_pairs
    from schedcp_gym.printing import print_json
    from schedcp_gym.ui import harmless

    def show(pair: Pair) -> None:
        why = "disturbed by the host, not counted" if pair.contaminated else pair.measured.message or "host failed"
        text = why if pair.reward is None or not pair.measured.ok else f"{math.exp(pair.reward):.3f}x"
        print(f"pair: {harmless(text)} · {_host_text(pair.measured)}", file=sys.stderr)

    found = measure_pairs(lab, trial, precision=Precision(half_width=precision, budget_s=budget_s), done=show)
    counted = sum(pair.reward is not None for pair in found.pairs)
    if as_json:
        figures = {"reward": found.reward, "half_width": found.half_width, "ended": found.ended}
        print_json({**figures, "pairs": len(found.pairs), "counted": counted})
    elif found.reward is not None:
        half_width = found.half_width if math.isfinite(found.half_width) else math.nan
        low, high = (math.exp(found.reward + sign * half_width) for sign in (-1, 1))
        print(
            f"{trial.policy.name} on {trial.workload.name}: {math.exp(found.reward):.3f}x EEVDF, 95 % interval "
            f"{low:.3f}x to {high:.3f}x · {counted} of {len(found.pairs)} pairs counted · ended: {found.ended}"
        )
    if found.reward is None:
        print(f"none of {len(found.pairs)} pairs counts: the host was busy or failed", file=sys.stderr)
    if found.reward is None or found.ended == "failed":
        raise typer.Exit(options.NOT_OK)


def _host_text(measurement: Measurement) -> str:
    host = measurement.host
    shares = ", ".join(f"{name} {100 * host.get(f'{name}_share', 0):.1f} %" for name in ("steal", "others"))
    return f"{shares}, load {host.get('load', 0):.1f}"


def _print(trial: Trial, measurement: Measurement) -> None:
    from schedcp_gym.spec.cache_costs import cost_lines
    from schedcp_gym.ui import harmless

    if not measurement.ok:
        if measurement.log:
            print(harmless(measurement.log.strip()[-LOG_LIMIT:]), file=sys.stderr)
        print(harmless(f"{measurement.outcome.value}: {measurement.message}"), file=sys.stderr)
        return
    _print_metrics(trial.workload, measurement)
    source = "from the cache" if measurement.cached else "host seconds"
    timings = ", ".join(f"{name} {spent:.2f}" for name, spent in measurement.timings_s.items())
    machine = trial.machine.describe()
    named = f"{trial.policy.name} on {trial.workload.name} ({trial.scale.value}, seed {trial.seed}; {machine})"
    print(f"{named}: ok · {source}: {timings}")
    if measurement.host:
        print(f"host: {_host_text(measurement)}" + (" · too busy: measure again" if measurement.contaminated else ""))
    for line in cost_lines(measurement.caches):
        print(f"caches: {harmless(line)}")
    if measurement.events:
        print("events: " + ", ".join(f"{name} {count}" for name, count in measurement.events.items()))


def _print_metrics(workload: Workload, measurement: Measurement) -> None:
    from schedcp_gym.printing import console_of, table_of

    table = table_of(("metric", "value", "unit", "better", "what"), right=["value"], whole=["metric", "value"])
    for name, metric in workload.metrics.items():
        better = "less" if metric.direction == "minimize" else "more"
        style = "bold" if name in workload.objective.weights else ""
        table.add_row(name, f"{measurement.metrics[name]:,.3f}", metric.unit, better, metric.description, style=style)
    if measurement.utilisation is not None:
        share = f"{100 * measurement.utilisation:.1f}"
        table.add_row("utilisation", share, "%", "", "share of the CPUs' time spent busy")
    console_of().print(table)
