"""The commands ``schedcp-gym table``: record, show and check the tables of the Table environments."""

import sys
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schedcp_gym.cli import options
from schedcp_gym.cli.store import print_checks
from schedcp_gym.spec import BadInput, Measurement, Scale

if TYPE_CHECKING:
    from schedcp_gym.envs.tables import Fidelity, Table
    from schedcp_gym.envs.tables.record import Recorder

#: Measurements between two lines of progress if standard error is not a terminal.
LINE_EVERY = 50
group = options.group_of("table", "Tables of real measurements, for the environments SchedCP/<Workload>-Table-v0.")
TablesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[WORKLOAD]...", help="Tables of these workloads (default: all).")
]


@options.command(
    "schedcp-gym table record schbench longtail",
    "schedcp-gym table record redis --points 800 --seed 0 --seed 1",
    "SCHEDCP_TABLES=mine schedcp-gym table record longtail --scale standard --cpus 4 # writes into the folder mine, "
    "where environments also look while the variable is set",
    group=group,
)
def record(
    workloads: Annotated[list[str], typer.Argument(metavar="WORKLOAD", help="Workloads; each gets a table.")],
    points: Annotated[int, typer.Option(min=1, help="Configurations to measure for each seed.")] = 400,
    seeds: options.SeedsOption = None,
    actions: Annotated[
        int, typer.Option(min=0, help="Random actions for each seed, to compare the table with real measurements.")
    ] = 64,
    scale: options.ScaleOption = Scale.SMOKE,
    machine: options.MachineOption = "virtual",
    cpus: options.CpusOption = None,
    kernel: options.OtherKernelOption = None,
    workers: options.WorkersOption = None,
    ray: options.RayOption = None,
) -> None:
    """Measure a workload's table, and how close its answers are to the real environment's.

    Each result is stored: after Ctrl-C, the same command continues. With more --points it extends the table.
    """
    from schedcp_gym.envs.tables import write_table
    from schedcp_gym.envs.tables.record import Recorder, Recording
    from schedcp_gym.lab import catalogue
    from schedcp_gym.paths import table_path

    found = [catalogue.load_workload(name) for name in dict.fromkeys(workloads)]
    spec = catalogue.load_machine(machine, cpus=cpus, kernel=kernel)
    chosen = tuple(dict.fromkeys(seeds or [0]))
    lab = options.open_lab(spec, workers=workers, ray=ray)
    for workload in found:
        recorder = Recorder(Recording(workload, spec, scale, chosen, points, actions), lab)
        table = _record(recorder)
        path = table_path(workload.name)
        write_table(path, table)
        _print(table, path)


def _record(recorder: "Recorder") -> "Table":
    """Record a table with a progress bar. After Ctrl-C, print how many measurements are done."""
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

        def done(_: Measurement) -> None:  # called from several threads
            nonlocal seen
            with lock:
                seen += 1
                bar.advance(task)
                if not bar.console.is_terminal and seen % LINE_EVERY == 0:
                    bar.console.print(f"{name}: {seen} of {total}")

        try:
            return recorder.record(begin, done)
        except KeyboardInterrupt:
            print(f"{name}: {seen} of {total} measured; run the same command to continue", file=sys.stderr)
            raise


@options.command("schedcp-gym table show", "schedcp-gym table show longtail --json", group=group)
def show(workloads: TablesArgument = None, as_json: options.JsonOption = False) -> None:
    """Show tables, their accuracy, and changes since they were recorded."""
    from schedcp_gym.envs.tables import about_as_json
    from schedcp_gym.envs.tables.stale import another_image, changes
    from schedcp_gym.paths import table_path
    from schedcp_gym.printing import print_json

    tables = _tables(workloads)
    changed = [changes(table.about) + another_image(table.about) for table in tables]
    if as_json:
        print_json(
            [
                {**about_as_json(table.about), "measurements": len(table.rows), "changed": parts}
                for table, parts in zip(tables, changed, strict=True)
            ]
        )
        return
    if not tables:
        print("there are none; `schedcp-gym table record WORKLOAD` makes one")
    for table, parts in zip(tables, changed, strict=True):
        _print(table, table_path(table.about.workload), parts)


def _tables(workloads: Sequence[str] | None) -> "list[Table]":
    """Return the tables of some workloads, or all tables."""
    from schedcp_gym.envs.tables import read_table
    from schedcp_gym.lab import catalogue
    from schedcp_gym.paths import table_files

    for name in workloads or ():
        catalogue.load_workload(name)
    return [read_table(name) for name in dict.fromkeys(workloads or table_files())]


def _print(table: "Table", path: Path, changed: Sequence[str] = ()) -> None:
    """Print the contents of a table, its accuracy, and changes since it was recorded."""
    about = table.about
    outcomes = Counter(row.measurement.outcome.value for row in table.rows)
    policies = len({row.config.policy for row in table.rows})
    where = f"{about.scale} scale, {about.machine.describe()}"
    seeds = f"workload seed{'s' if len(about.seeds) > 1 else ''} {', '.join(map(str, about.seeds))}"
    lines = [
        f"{about.workload}: {len(table.rows)} measurements of {policies} policies, {where}, {seeds}",
        "outcomes: " + ", ".join(f"{count} {name}" for name, count in outcomes.most_common()),
        _fidelity_text(about.fidelity),
        f"file: {path} ({path.stat().st_size / 1024:.0f} KiB)",
    ]
    if changed:
        again = f"`schedcp-gym table record {about.workload}` records it again"
        lines.append(f"changed since it was recorded: {', '.join(changed)}; {again}")
    print("\n  ".join(lines))


def _fidelity_text(found: "Fidelity | None") -> str:
    if found is None:
        return "fidelity: not measured (recorded with --actions 0)"

    def text(value: float | None, form: str) -> str:
        return "undefined" if value is None else format(value, form)

    return (
        f"fidelity, at {found.actions} random actions that are not in the table: "
        f"rank correlation of rewards {text(found.rank_correlation, '.2f')}; error of the improvement ratio "
        f"{text(found.median_error, '.1%')} (median), {text(found.p90_error, '.1%')} (90th percentile); "
        f"same outcome {found.equal_outcomes:.0%}"
    )


@options.command(
    "schedcp-gym table check",
    "schedcp-gym table check longtail --sample 50",
    "schedcp-gym table check longtail --all",
    group=group,
)
def check(
    workloads: TablesArgument = None,
    sample: Annotated[int, typer.Option(min=1, help="Measurements of each table, drawn at random.")] = 5,
    everything: options.AllOption = False,
    draw: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
    workers: options.WorkersOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Measure a sample of tables again and compare every figure. The exit status is 0 if all are equal."""
    from schedcp_gym import ui
    from schedcp_gym.envs.tables.check import Catalogue, draw_rows
    from schedcp_gym.lab.check import check as check_entries

    tables = _tables(workloads)
    if not tables:
        raise BadInput("there is no table to check; `schedcp-gym table record WORKLOAD` makes one")
    rows = [row for table in tables for row in draw_rows(table, None if everything else sample, draw)]
    lab = options.open_lab(tables[0].about.machine, workers=workers, cache=False, keep=False)
    with ui.counting_bar() as bar:
        task = bar.add_task("checking", total=len(rows))
        checked = check_entries(Catalogue(), rows, lab, lambda _: bar.advance(task))
    print_checks(checked, as_json=as_json)
    if any(one.differences or one.hindrance for one in checked):
        raise typer.Exit(options.NOT_OK)
