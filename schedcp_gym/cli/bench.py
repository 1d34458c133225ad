"""``schedcp-gym bench``: policies on the whole suite of workloads."""

import contextlib
import fnmatch
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schedcp_gym.cli.options import (
    NOT_OK,
    ClockOption,
    CpusOption,
    JsonOption,
    MachineOption,
    OtherKernelOption,
    RayOption,
    ScaleOption,
    pairs,
)
from schedcp_gym.spec import BadInput, Clock, Policy, Scale, Workload

if TYPE_CHECKING:
    from schedcp_gym.bench import Bench, Result, Suite
    from schedcp_gym.bench.suite import Done
    from schedcp_gym.lab import Lab

EPILOG = (
    "Examples: [bold]schedcp-gym bench eevdf[/bold] · "
    "[bold]schedcp-gym bench vtime ljf -w 'schbench*' --seed 1[/bold] · "
    "[bold]schedcp-gym bench eevdf fifo --plot suite.html[/bold] · "
    "[bold]schedcp-gym bench ./mine.bpf.c --set slice_us=500 --csv mine.csv[/bold] · "
    "[bold]schedcp-gym bench eevdf fifo -w schbench --clock real --repeats 5[/bold] · "
    "[bold]schedcp-gym bench eevdf fifo --ray 10.0.0.1:6379[/bold]"
)
WorkloadsOption = Annotated[
    list[str] | None,
    typer.Option("--workload", "-w", metavar="NAME", help="This workload, or those that match ('schbench*'); repeat."),
]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, max=64, help="Trials at once; the host's CPUs if not given, 1 on the real clock.")
]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(bench)


def bench(
    policies: Annotated[
        list[str], typer.Argument(metavar="POLICY", help="Policies' names, eevdf, or paths of .bpf.c files.")
    ],
    workloads: WorkloadsOption = None,
    scale: ScaleOption = Scale.SMOKE,
    seeds: Annotated[
        list[int] | None, typer.Option("--seed", min=0, max=2**31 - 1, help="The workloads' seed (0); repeat.")
    ] = None,
    tunables: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="[POLICY.]K=V", help="Set a tunable; repeat. Of several policies, name which."),
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Score by this objective (fair, throughput): the workloads that declare it."),
    ] = None,
    machine: MachineOption = "virtual",
    clock: ClockOption = None,
    repeats: Annotated[
        int | None,
        typer.Option(
            min=1, max=100, help="Real clock: measurements of each trial, interleaved; medians are shown (3)."
        ),
    ] = None,
    cpus: CpusOption = None,
    kernel: OtherKernelOption = None,
    workers: WorkersOption = None,
    ray: RayOption = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Measure even what is known.")] = False,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the results, a row for each trial.")] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw them: a page (.html) or an image (.png, .svg, .pdf).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure policies on the whole suite of workloads, against EEVDF. Exits with 0 if all outcomes are ok.

    Trials run in parallel and each is kept: after Ctrl-C the same command goes on where it was.
    """
    from schedcp_gym.bench import Bench, Suite
    from schedcp_gym.bench.plot import check_file, check_path, write_plot
    from schedcp_gym.lab import catalogue

    if csv:
        check_file(csv)
    if plot:
        check_path(plot)
    spec = catalogue.load_machine(machine, cpus=cpus, clock=clock, kernel=kernel)
    real = spec.clock is Clock.REAL
    suite = Suite(
        policies=load_policies(policies, tunables or []),
        workloads=find_workloads(workloads or [], objective),
        machine=spec,
        scale=scale,
        seeds=tuple(dict.fromkeys(seeds or [0])),
        objective=objective,
        repeats=repeats or (3 if real else 1),
    )
    results = run(Bench(suite, make_lab(suite, workers, cache=not no_cache, ray=ray)))
    if csv:
        from schedcp_gym.bench.frame import frame_of

        frame_of(suite, results).to_csv(csv, index=False)
    if as_json:
        print(json.dumps(as_plain(suite, results), indent=1))
    else:
        show(suite, results)
    if plot:
        write_plot(results, plot)
    if not results or not all(result.measured.ok for result in results):
        raise typer.Exit(NOT_OK)


def load_policies(names: Sequence[str], settings: Sequence[str]) -> tuple[Policy, ...]:
    """Policies by name or path, each once, with the tunables that are for it.

    Raises:
        BadInput: No such policy or tunable, or it is not clear whose a tunable is.
    """
    from schedcp_gym.lab import catalogue

    names = list(dict.fromkeys(names))
    called = {name: catalogue.load_policy(name).name for name in names}
    own: dict[str, dict[str, object]] = {name: {} for name in names}
    own_source = [name for name in names if called[name] != "eevdf"] or names
    for key, value in pairs(list(settings)).items():
        policy, dot, tunable = key.partition(".")
        whose = [name for name in names if dot and called[name] == policy] or ([] if dot else own_source)
        if len(whose) != 1:
            known = " or ".join(f"{called[name]}.{tunable if dot else key}" for name in own_source)
            raise BadInput(f"--set {key}={value}: whose tunable is it? write --set {known}=…")
        own[whose[0]][tunable if dot else key] = value
    return tuple(catalogue.load_policy(name, own[name]) for name in names)


def find_workloads(wanted: Sequence[str], objective: str | None) -> tuple[Workload, ...]:
    """Workloads by name or pattern, all if none are given; of a pattern's, those that declare the objective.

    Raises:
        BadInput: No such workload, or none that declares the objective.
    """
    from schedcp_gym.lab import catalogue

    names = catalogue.workload_names()
    found: dict[str, Workload] = {}
    for word in wanted or ["*"]:
        is_pattern = any(letter in word for letter in "*?[")
        matching = fnmatch.filter(names, word) if is_pattern else [word]
        if not matching:
            raise catalogue.unknown("workload", word, names)
        loaded = [catalogue.load_workload(name) for name in matching]
        found |= {one.name: one for one in loaded if not is_pattern or not objective or objective in one.objectives}
    if not found:
        declared = {name for one in map(catalogue.load_workload, names) for name in one.objectives}
        raise catalogue.unknown("objective", objective or "", declared)
    return tuple(found.values())


def make_lab(suite: "Suite", workers: int | None, *, cache: bool = True, ray: str | None = None) -> "Lab":
    """The lab for a suite, its image and snapshot there: building them is not part of a trial's time."""
    from schedcp_gym import ui
    from schedcp_gym.lab import Lab
    from schedcp_gym.lab.cluster import Ray
    from schedcp_gym.lab.cluster.executor import RayExecutor

    workers = workers or (1 if suite.machine.clock is Clock.REAL else None)
    with ui.build_progress() as build:
        executor = RayExecutor(Ray(address=ray)) if ray else None
        lab = Lab(workers=workers, cache=cache, executor=executor, report=build)
        machine = lab.machine(suite.machine)
        if suite.machine.clock is Clock.VIRTUAL:
            machine.ensure_snapshot()
    return lab


def run(bench: "Bench") -> "list[Result]":
    """Measures a suite with a bar and a line for each result; when interrupted, says how much is there."""
    total = bench.total
    seen = 0

    with progress("measuring", total) as told:

        def done(result: "Result") -> None:
            nonlocal seen
            seen += 1
            told(result)

        try:
            return bench.run(done)
        except KeyboardInterrupt:
            lost = "" if bench.suite.machine.clock is Clock.VIRTUAL else " (the real clock's are not kept)"
            print(f"{seen} of {total} measured{lost}; the same command goes on", file=sys.stderr)
            raise


@contextlib.contextmanager
def progress(what: str, total: int) -> "Iterator[Done]":
    """A bar on standard error, results above it as they come; lines where no terminal is."""
    from schedcp_gym import ui
    from schedcp_gym.cli.bench_table import line_of

    with ui.counting_bar() as bar:
        task = bar.add_task(what, total=total)

        def done(result: "Result") -> None:
            bar.console.print(line_of(result), soft_wrap=True)
            bar.advance(task)

        yield done


def show(suite: "Suite", results: "Sequence[Result]") -> None:
    """Prints the table, why what failed has failed, and the sums."""
    from rich.console import Console

    from schedcp_gym.cli import bench_table

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = bench_table.PLAIN_WIDTH
    bench_table.print_suite(console, suite, results)


def as_plain(suite: "Suite", results: "Sequence[Result]") -> dict[str, object]:
    """All of it as JSON has it: ``results`` with the frame's columns, and each policy's sums."""
    import dataclasses

    from schedcp_gym.bench import totals
    from schedcp_gym.bench.frame import records_of

    sums = [dataclasses.asdict(total) for total in totals(results)]
    return {"results": records_of(suite, results), "policies": sums}
