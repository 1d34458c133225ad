"""``schedcp-gym table``: recorded measurements that the Table environments answer from."""

import dataclasses
import json
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from schedcp_gym.cli.bench import WorkersOption
from schedcp_gym.cli.options import (
    NOT_OK,
    CpusOption,
    JsonOption,
    MachineOption,
    OtherKernelOption,
    RayOption,
    ScaleOption,
)
from schedcp_gym.spec import BadInput, MachineSpec, Measurement, Scale

if TYPE_CHECKING:
    from schedcp_gym.envs.tables import Table
    from schedcp_gym.envs.tables.record import Recorder
    from schedcp_gym.lab import Lab
    from schedcp_gym.lab.check import Checked

#: Measurements between two lines of progress where no terminal is.
LINE_EVERY = 50

table_app = typer.Typer(
    help="Tables of real measurements, which the environments SchedCP/<Workload>-Table-v0 answer from.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(table_app, name="table")


@table_app.command(
    "record",
    epilog="Examples: [bold]schedcp-gym table record schbench longtail[/bold] · "
    "[bold]schedcp-gym table record redis --points 800 --seed 0 --seed 1[/bold] · "
    "[bold]SCHEDCP_TABLES=mine schedcp-gym table record longtail --scale standard --cpus 4[/bold] (into the folder "
    "mine, where environments look, too, while that is set)",
)
def record(
    workloads: Annotated[list[str], typer.Argument(metavar="WORKLOAD", help="Workloads, one table each.")],
    points: Annotated[int, typer.Option(min=1, help="Configurations for each seed.")] = 400,
    seeds: Annotated[
        list[int] | None, typer.Option("--seed", min=0, max=2**31 - 1, help="The workloads' seed (0); repeat.")
    ] = None,
    actions: Annotated[
        int, typer.Option(min=0, help="Random actions for each seed that the table is held against reality by.")
    ] = 64,
    scale: ScaleOption = Scale.SMOKE,
    machine: MachineOption = "virtual",
    cpus: CpusOption = None,
    kernel: OtherKernelOption = None,
    workers: WorkersOption = None,
    ray: RayOption = None,
) -> None:
    """Measure a workload's table, and how near its answers are to the real environment's.

    Each trial is kept: after Ctrl-C the same command goes on where it was, and with more --points it adds to what is
    there.
    """
    from schedcp_gym.cli.table_table import print_table
    from schedcp_gym.envs.tables import write_table
    from schedcp_gym.envs.tables.record import Recorder, Recording
    from schedcp_gym.lab import catalogue
    from schedcp_gym.paths import table_path

    found = [catalogue.load_workload(name) for name in dict.fromkeys(workloads)]
    spec = catalogue.load_machine(machine, cpus=cpus, kernel=kernel)
    chosen = tuple(dict.fromkeys(seeds or [0]))
    lab = _lab(spec, workers, ray)
    for workload in found:
        recorder = Recorder(Recording(workload, spec, scale, chosen, points, actions), lab)
        table = _record(recorder)
        path = table_path(workload.name)
        write_table(path, table)
        print_table(table, path)


def _lab(machine: MachineSpec, workers: int | None, ray: str | None, **more: bool) -> "Lab":
    """A lab whose image and snapshot are there."""
    from schedcp_gym import ui
    from schedcp_gym.lab import Lab
    from schedcp_gym.lab.cluster import Ray
    from schedcp_gym.lab.cluster.executor import RayExecutor

    with ui.build_progress() as build:
        executor = RayExecutor(Ray(address=ray)) if ray else None
        lab = Lab(workers=workers, executor=executor, report=build, **more)
        lab.machine(machine).ensure_snapshot()
    return lab


def _record(recorder: "Recorder") -> "Table":
    """Records with a bar; when interrupted, says how much is there."""
    from rich.progress import TimeRemainingColumn

    from schedcp_gym import ui

    name, seen, total = recorder.recording.workload.name, 0, 0
    lock = threading.Lock()
    with ui.counting_bar(TimeRemainingColumn()) as bar:
        task = bar.add_task(name, total=None)

        def begin(count: int) -> None:
            nonlocal total
            total = count
            bar.update(task, total=count)

        def done(_: Measurement) -> None:  # from the threads that measure
            nonlocal seen
            with lock:
                seen += 1
                bar.advance(task)
                if not bar.console.is_terminal and seen % LINE_EVERY == 0:
                    bar.console.print(f"{name}: {seen} of {total}")

        try:
            return recorder.record(begin, done)
        except KeyboardInterrupt:
            print(f"{name}: {seen} of {total} measured; the same command goes on", file=sys.stderr)
            raise


@table_app.command(
    "show",
    epilog="Examples: [bold]schedcp-gym table show[/bold] · [bold]schedcp-gym table show longtail --json[/bold]",
)
def show(
    workloads: Annotated[
        list[str] | None, typer.Argument(metavar="[WORKLOAD]...", help="Whose tables; all if not given.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what tables there are, how near they are to reality, and what has changed since they were recorded."""
    from schedcp_gym.cli.table_table import print_table
    from schedcp_gym.envs.tables import about_as_json
    from schedcp_gym.envs.tables.stale import another_image, changes
    from schedcp_gym.paths import table_path

    tables = _tables(workloads)
    changed = [changes(table.about) + another_image(table.about) for table in tables]
    if as_json:
        counts = [{"measurements": len(table.rows)} for table in tables]
        told = zip(tables, counts, changed, strict=True)
        print(json.dumps([about_as_json(table.about) | n | {"changed": what} for table, n, what in told], indent=1))
        return
    if not tables:
        print("there are none; `schedcp-gym table record WORKLOAD` makes one")
    for table, what in zip(tables, changed, strict=True):
        print_table(table, table_path(table.about.workload), what)


def _tables(workloads: Sequence[str] | None) -> "list[Table]":
    """Tables of workloads that exist; all there are if none is named."""
    from schedcp_gym.envs.tables import read_table
    from schedcp_gym.lab import catalogue
    from schedcp_gym.paths import table_files

    for name in workloads or ():
        catalogue.load_workload(name)
    return [read_table(name) for name in dict.fromkeys(workloads or table_files())]


@table_app.command(
    "check",
    epilog="Examples: [bold]schedcp-gym table check[/bold] · "
    "[bold]schedcp-gym table check longtail --sample 50[/bold] · [bold]schedcp-gym table check longtail --all[/bold]",
)
def check(
    workloads: Annotated[
        list[str] | None, typer.Argument(metavar="[WORKLOAD]...", help="Whose tables; all if not given.")
    ] = None,
    sample: Annotated[int, typer.Option(min=1, help="How many of each table, drawn by chance.")] = 5,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    draw: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a sample of tables again and compare every figure. Exits with 0 if all are equal."""
    from schedcp_gym import ui
    from schedcp_gym.cli.store_table import print_checked
    from schedcp_gym.envs.tables.check import Catalogue, draw_rows
    from schedcp_gym.lab.check import check as check_entries

    tables = _tables(workloads)
    if not tables:
        raise BadInput("there is no table to check; `schedcp-gym table record WORKLOAD` makes one")
    rows = [row for table in tables for row in draw_rows(table, None if everything else sample, draw)]
    lab = _lab(tables[0].about.machine, workers, None, cache=False, keep=False)
    with ui.counting_bar() as bar:
        task = bar.add_task("checking", total=len(rows))
        checked = check_entries(Catalogue(), rows, lab, lambda _: bar.advance(task))
    if as_json:
        print(json.dumps([_checked(one) for one in checked], indent=1))
    else:
        print_checked(checked)
    if any(one.differences or one.hindrance for one in checked):
        raise typer.Exit(NOT_OK)


def _checked(one: "Checked") -> dict[str, Any]:
    config, differences = vars(one.entry.config), [dataclasses.asdict(difference) for difference in one.differences]
    return {**config, "trial": one.entry.measurement.trial, "differences": differences, "hindrance": one.hindrance}
