"""The command ``schedcp-gym bench``: measure policies on all workloads."""

import contextlib
import fnmatch
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from schedcp_gym.cli import options
from schedcp_gym.spec import BadInput, Clock, Policy, Scale, Workload

if TYPE_CHECKING:
    from schedcp_gym.bench import Bench, BenchResult, Suite
    from schedcp_gym.bench.suite import Done
    from schedcp_gym.lab import Lab

WorkloadsOption = Annotated[
    list[str] | None,
    typer.Option("--workload", "-w", metavar="NAME", help="Only this workload, or a pattern like 'schbench*'; repeat."),
]


@options.command(
    "schedcp-gym bench eevdf",
    "schedcp-gym bench vtime ljf -w 'schbench*' --seed 1",
    "schedcp-gym bench eevdf fifo --plot suite.html",
    "schedcp-gym bench ./mine.bpf.c --set slice_us=500 --csv mine.csv",
    "schedcp-gym bench eevdf fifo -w schbench --clock real --repeats 5",
    "schedcp-gym bench eevdf fifo --ray 10.0.0.1:6379",
)
def bench(
    policies: Annotated[
        list[str], typer.Argument(metavar="POLICY", help="Policies: names, eevdf, or paths of .bpf.c files.")
    ],
    workloads: WorkloadsOption = None,
    scale: options.ScaleOption = Scale.SMOKE,
    seeds: options.SeedsOption = None,
    tunables: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="[POLICY.]K=V", help="Set a tunable; repeat. With several policies, name the policy."
        ),
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Score by this objective (fair, throughput), on workloads that declare it."),
    ] = None,
    machine: options.MachineOption = "virtual",
    clock: options.ClockOption = None,
    repeats: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="Real clock: measure each trial so often (3), interleaved; prints medians."),
    ] = None,
    cpus: options.CpusOption = None,
    kernel: options.OtherKernelOption = None,
    workers: options.WorkersOption = None,
    ray: options.RayOption = None,
    no_cache: options.NoCacheOption = False,
    csv: options.CsvOption = None,
    plot: options.PlotOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Measure policies on all workloads, compared with EEVDF. The exit status is 0 if all outcomes are ok.

    Trials run in parallel and each result is stored: after Ctrl-C, the same command continues.
    """
    from schedcp_gym.bench import Bench, Suite
    from schedcp_gym.bench.plot import check_plot, write_plot
    from schedcp_gym.lab import catalogue

    options.check_outputs(csv)
    check_plot(plot)
    spec = catalogue.load_machine(machine, cpus=cpus, clock=clock, kernel=kernel)
    suite = Suite(
        policies=load_policies(policies, tunables or []),
        workloads=find_workloads(workloads or [], objective),
        machine=spec,
        scale=scale,
        seeds=tuple(dict.fromkeys(seeds or [0])),
        objective=objective,
        repeats=repeats or (3 if spec.clock is Clock.REAL else 1),
    )
    results = run(Bench(suite, make_lab(suite, workers, cache=not no_cache, ray=ray)))
    if csv:
        from schedcp_gym.bench.frame import frame_of

        frame_of(suite, results).to_csv(csv, index=False)
    if as_json:
        from schedcp_gym.printing import print_json

        print_json(as_plain(suite, results))
    else:
        from schedcp_gym.cli.bench_table import print_suite
        from schedcp_gym.printing import console_of

        print_suite(console_of(), suite, results)
    if plot:
        write_plot(results, plot)
    if not results or not all(result.measured.ok for result in results):
        raise typer.Exit(options.NOT_OK)


def load_policies(names: Sequence[str], settings: Sequence[str]) -> tuple[Policy, ...]:
    """Return policies by name or path, each once, with the tunables that are set for it.

    Raises:
        BadInput: A policy or tunable does not exist, or a setting does not say which policy it is for.
    """
    from schedcp_gym.lab import catalogue

    names = list(dict.fromkeys(names))
    called = {name: catalogue.load_policy(name).name for name in names}
    own: dict[str, dict[str, object]] = {name: {} for name in names}
    own_source = [name for name in names if called[name] != "eevdf"] or names
    for key, value in options.pairs(list(settings)).items():
        policy, dot, tunable = key.partition(".")
        owners = [name for name in names if dot and called[name] == policy] or ([] if dot else own_source)
        if len(owners) != 1:
            known = " or ".join(f"{called[name]}.{tunable if dot else key}" for name in own_source)
            raise BadInput(f"--set {key}={value} does not say which policy it is for: write --set {known}=…")
        own[owners[0]][tunable if dot else key] = value
    return tuple(catalogue.load_policy(name, own[name]) for name in names)


def find_workloads(wanted: Sequence[str], objective: str | None) -> tuple[Workload, ...]:
    """Return workloads by name or pattern; all of them if none is named.

    With an objective, a pattern finds only the workloads that declare it.

    Raises:
        BadInput: There is no such workload, or none declares the objective.
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
    """Return the lab that measures a suite, with image and snapshot built. On the real clock it has one worker."""
    workers = workers or (1 if suite.machine.clock is Clock.REAL else None)
    return options.open_lab(suite.machine, workers=workers, cache=cache, ray=ray)


def run(bench: "Bench") -> "list[BenchResult]":
    """Measure a suite with a progress bar and a line for each result. After Ctrl-C, print how many are done."""
    seen = 0
    with progress("measuring", bench.total) as show:

        def done(result: "BenchResult") -> None:
            nonlocal seen
            seen += 1
            show(result)

        try:
            return bench.run(done)
        except KeyboardInterrupt:
            lost = "" if bench.suite.machine.clock is Clock.VIRTUAL else " (the real clock's results are not stored)"
            print(f"{seen} of {bench.total} measured{lost}; run the same command to continue", file=sys.stderr)
            raise


@contextlib.contextmanager
def progress(what: str, total: int) -> "Iterator[Done]":
    """Show a progress bar on standard error, and each result in a line above it.

    Yields:
        A function to call with each result.
    """
    from schedcp_gym import ui
    from schedcp_gym.cli.bench_table import line_of

    with ui.counting_bar() as bar:
        task = bar.add_task(what, total=total)

        def done(result: "BenchResult") -> None:
            bar.console.print(line_of(result), soft_wrap=True)
            bar.advance(task)

        yield done


def as_plain(suite: "Suite", results: "Sequence[BenchResult]") -> dict[str, object]:
    """Return the JSON output: ``results``, with the columns of the CSV file, and a summary of each policy."""
    from schedcp_gym.bench import totals
    from schedcp_gym.bench.frame import records_of

    return {"results": records_of(suite, results), "policies": [vars(total) for total in totals(results)]}
