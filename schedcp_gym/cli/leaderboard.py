"""``schedcp-gym leaderboard``: entries out of runs, and whether entries are what they claim to be."""

import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from schedcp_gym.cli.options import NOT_OK, JsonOption
from schedcp_gym.spec import BadInput

if TYPE_CHECKING:
    from rich.progress import TaskID

    from schedcp_gym.lab import Lab
    from schedcp_gym.leaderboard import Report

leaderboard_app = typer.Typer(
    help="Results that anyone can check: submit runs, check entries by running their trials again.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
FOLDER = Path("results/leaderboard")
SITE = Path("runs/leaderboard")


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(leaderboard_app, name="leaderboard")


@leaderboard_app.command(
    "submit",
    epilog="Examples: [bold]schedcp-gym leaderboard submit runs/suite_standard[/bold] · "
    "[bold]schedcp-gym leaderboard submit runs/suite_smoke --agent random_search --by 'A. Author'[/bold] · "
    "[bold]schedcp-gym leaderboard submit runs/MINE --no-suite --no-transcripts[/bold]",
)
def submit(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Folders of runs, or that hold some.")],
    into: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="The folder of entries.")] = FOLDER,
    agent: Annotated[str | None, typer.Option(metavar="NAME", help="Only this agent's runs.")] = None,
    by: Annotated[str, typer.Option(metavar="TEXT", help="Who submits.")] = "",
    note: Annotated[str, typer.Option(metavar="TEXT", help="What readers should know.")] = "",
    no_transcripts: Annotated[
        bool, typer.Option("--no-transcripts", help="Leave out what models were asked and answered.")
    ] = False,
    no_suite: Annotated[
        bool, typer.Option("--no-suite", help="An entry for these tasks only, in no suite's table.")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Replace an entry of the same name.")] = False,
) -> None:
    """Make an entry for each agent that has runs in these folders: one folder, whole in itself, and sealed.

    What would be refused at a check is refused here: runs that have not ended, tasks of the suite that are not there.
    """
    from schedcp_gym.leaderboard.submit import Submission
    from schedcp_gym.leaderboard.submit import submit as make

    given = Submission(by=by, note=note, transcripts=not no_transcripts, without_suite=no_suite, replace=replace)
    for entry in make(runs, into, given, agent=agent):
        print(entry)


@leaderboard_app.command(
    "check",
    epilog="Examples: [bold]schedcp-gym leaderboard check results/leaderboard[/bold] · "
    "[bold]schedcp-gym leaderboard check results/leaderboard/random_search_smoke --all[/bold] · "
    "[bold]schedcp-gym leaderboard check ENTRY --no-run[/bold]",
)
def check(
    entries: Annotated[list[Path], typer.Argument(metavar="ENTRY", help="Folders of entries, or that hold some.")],
    sample: Annotated[int, typer.Option(min=1, help="Trials of each entry that are run again, drawn by chance.")] = 10,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    no_run: Annotated[bool, typer.Option("--no-run", help="Only what can be said without a machine.")] = False,
    draw: Annotated[int | None, typer.Option(min=0, help="Seed of the draw; another each time if not given.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Trials at once; the host's CPUs.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check entries: every figure has to follow from the records, and trials that are run again have to give the same.

    Each reason for a refusal names the record. Entries of the real clock can't be repeated: they are checked as far as
    that goes without. Exits with 0 if all are accepted.
    """
    from schedcp_gym import ui
    from schedcp_gym.lab import Lab
    from schedcp_gym.leaderboard import check_entry
    from schedcp_gym.leaderboard.rerun import Sample

    # Who makes an entry must not know which trials will be looked at.
    draw = random.SystemRandom().randrange(2**31) if draw is None else draw
    chosen = Sample(0 if no_run else None if everything else sample, draw)
    reports = []
    with ui.build_progress() as build, ui.counting_bar() as bar:

        def lab() -> "Lab":
            return Lab(workers=workers, cache=False, keep=False, report=build)

        for entry in find_entries(entries):
            task = bar.add_task(entry.name, total=None)

            def done(count: int, total: int, task: "TaskID" = task) -> None:
                bar.update(task, completed=count, total=total)

            reports.append(check_entry(entry, chosen, lab, done))
            if not as_json:
                _show(reports[-1])
    if as_json:
        print(json.dumps([_plain(report) for report in reports], indent=1))
    if not all(report.is_accepted for report in reports):
        raise typer.Exit(NOT_OK)


@leaderboard_app.command(
    "unpack",
    epilog="Examples: [bold]schedcp-gym leaderboard unpack results/leaderboard/random_search_standard --to "
    "runs/random_search[/bold]",
)
def unpack(
    entry: Annotated[Path, typer.Argument(metavar="ENTRY", help="An entry's folder.")],
    into: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where the runs go, a folder each.")],
) -> None:
    """Write the runs of an entry as folders again: what was submitted, to the last byte."""
    from schedcp_gym.leaderboard.submit import unpack as write
    from schedcp_gym.spec import SchedcpError

    try:
        for folder in write(entry, into):
            print(folder)
    except (OSError, ValueError, KeyError) as error:
        raise SchedcpError(f"{entry} can't be unpacked: {error}") from None


@leaderboard_app.command(
    "build",
    epilog="Examples: [bold]schedcp-gym leaderboard build[/bold] · "
    "[bold]schedcp-gym leaderboard build results/leaderboard mine/ --to /tmp/board[/bold]",
)
def build(
    entries: Annotated[
        list[Path] | None, typer.Argument(metavar="ENTRY", help="Folders of entries, or that hold some.")
    ] = None,
    into: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where the pages go.")] = SITE,
) -> None:
    """Write the leaderboard as static pages: open index.html in a browser, no server or network needed.

    Entries that are not as they should be in themselves are left out, with the reason; `check` runs trials again, too.
    """
    from schedcp_gym.leaderboard.site import build as write
    from schedcp_gym.ui import harmless

    shown, refused = write(find_entries(entries or [FOLDER]), into)
    for entry, refusals in refused.items():
        print(harmless(f"left out: {entry}: {refusals[0]}"), file=sys.stderr)
    print(f"{len(shown)} entries: {into / 'index.html'}")
    if refused:
        raise typer.Exit(NOT_OK)


def find_entries(paths: Sequence[Path]) -> list[Path]:
    """Entries in some folders, or that they are.

    Raises:
        BadInput: There is none in one of them.
    """
    from schedcp_gym.leaderboard.entry import MANIFEST
    from schedcp_gym.run.folder import RUNS

    found: dict[Path, None] = {}
    for path in paths:
        is_entry = (path / MANIFEST).is_file() or (path / RUNS).is_file()
        mine = [path] if is_entry else sorted(one.parent for one in path.glob(f"*/{MANIFEST}"))
        if not mine:
            raise BadInput(f"there is no entry in {path}: give an entry's folder, or one that holds some")
        found |= dict.fromkeys(mine)
    return list(found)


def _show(report: "Report") -> None:
    from schedcp_gym.ui import harmless

    entry = harmless(str(report.entry))
    if not report.is_accepted:
        print(f"{entry}: refused")
        for refusal in report.refusals:
            print(f"  {harmless(str(refusal))}")
        return
    if report.draw is None:
        why = "real clock: nothing can be repeated" if report.clock == "real" else "nothing was run again"
        print(f"{entry}: in itself as it should be; {why}")
        return
    print(f"{entry}: accepted; {report.repeated} of {report.trials} trials run again, every figure equal")
    if report.repeated < report.trials:
        print(f"{entry}: drawn by --draw {report.draw}", file=sys.stderr)


def _plain(report: "Report") -> dict[str, Any]:
    return {
        "entry": str(report.entry),
        "accepted": report.is_accepted,
        "clock": report.clock,
        "trials": report.trials,
        "repeated": report.repeated,
        "draw": report.draw,
        "refusals": [vars(refusal) for refusal in report.refusals],
    }
