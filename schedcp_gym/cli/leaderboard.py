"""The commands ``schedcp-gym leaderboard``: make entries from runs, check entries, and build the pages."""

import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from schedcp_gym.cli import options
from schedcp_gym.spec import BadInput

if TYPE_CHECKING:
    from rich.progress import TaskID

    from schedcp_gym.lab import Lab
    from schedcp_gym.leaderboard import EntryCheck

FOLDER = Path("results/leaderboard")
SITE = Path("runs/leaderboard")
group = options.group_of(
    "leaderboard", "Results that anyone can check: submit runs, and check entries by running their trials again."
)


@options.command(
    "schedcp-gym leaderboard submit runs/suite_standard",
    "schedcp-gym leaderboard submit runs/suite_smoke --agent random_search --by 'A. Author'",
    "schedcp-gym leaderboard submit runs/MINE --no-suite --no-transcripts",
    group=group,
)
def submit(
    runs: options.RunsArgument,
    into: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="The folder of entries.")] = FOLDER,
    agent: Annotated[str | None, typer.Option(metavar="NAME", help="Only this agent's runs.")] = None,
    by: Annotated[str, typer.Option(metavar="TEXT", help="Your name.")] = "",
    note: Annotated[str, typer.Option(metavar="TEXT", help="A note for readers of the leaderboard.")] = "",
    no_transcripts: Annotated[
        bool, typer.Option("--no-transcripts", help="Leave out the prompts and answers of language models.")
    ] = False,
    no_suite: Annotated[
        bool, typer.Option("--no-suite", help="Make an entry for these tasks only, outside the suites' tables.")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Replace an entry of the same name.")] = False,
) -> None:
    """Make an entry for each agent that has runs in these folders: a complete, sealed folder.

    Runs that a check would refuse are refused here: unfinished runs, or a suite with missing tasks.
    """
    from schedcp_gym.leaderboard.submit import Submission
    from schedcp_gym.leaderboard.submit import submit as make

    given = Submission(by=by, note=note, transcripts=not no_transcripts, without_suite=no_suite, replace=replace)
    for entry in make(runs, into, given, agent=agent):
        print(entry)


@options.command(
    "schedcp-gym leaderboard check results/leaderboard",
    "schedcp-gym leaderboard check results/leaderboard/random_search_smoke --all",
    "schedcp-gym leaderboard check ENTRY --no-run",
    group=group,
)
def check(
    entries: Annotated[
        list[Path], typer.Argument(metavar="ENTRY", help="Folders of entries, or folders that contain entries.")
    ],
    sample: Annotated[int, typer.Option(min=1, help="Trials of each entry to run again, drawn at random.")] = 10,
    everything: options.AllOption = False,
    no_run: Annotated[bool, typer.Option("--no-run", help="Run nothing: check the files only.")] = False,
    draw: Annotated[int | None, typer.Option(min=0, help="Seed of the draw (default: a random one).")] = None,
    workers: options.WorkersOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Check entries: all figures must follow from the records, and trials that run again must give equal results.

    Each refusal names the record and the reason. Trials of the real clock cannot be repeated exactly, so nothing is run
    again for such entries. The exit status is 0 if all entries are accepted.
    """
    from schedcp_gym import ui
    from schedcp_gym.lab import Lab
    from schedcp_gym.leaderboard import check_entry
    from schedcp_gym.leaderboard.rerun import RerunSample

    # The author of an entry must not be able to predict which trials are run again.
    draw = random.SystemRandom().randrange(2**31) if draw is None else draw
    chosen = RerunSample(0 if no_run else None if everything else sample, draw)
    checks = []
    with ui.build_progress() as build, ui.counting_bar() as bar:

        def lab() -> "Lab":
            return Lab(workers=workers, cache=False, keep=False, report=build)

        for entry in find_entries(entries):
            task = bar.add_task(entry.name, total=None)

            def done(count: int, total: int, task: "TaskID" = task) -> None:
                bar.update(task, completed=count, total=total)

            checks.append(check_entry(entry, chosen, lab, done))
            if not as_json:
                _print(checks[-1])
    if as_json:
        from schedcp_gym.printing import print_json

        print_json([_as_plain(one) for one in checks])
    if not all(one.is_accepted for one in checks):
        raise typer.Exit(options.NOT_OK)


@options.command(
    "schedcp-gym leaderboard unpack results/leaderboard/random_search_standard --to runs/random_search", group=group
)
def unpack(
    entry: Annotated[Path, typer.Argument(metavar="ENTRY", help="An entry's folder.")],
    into: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Write each run into a folder in here.")],
) -> None:
    """Write the runs of an entry as folders again, identical to what was submitted."""
    from schedcp_gym.leaderboard.submit import unpack as write
    from schedcp_gym.spec import SchedcpError

    try:
        for folder in write(entry, into):
            print(folder)
    except (OSError, ValueError, KeyError) as error:
        raise SchedcpError(f"{entry} cannot be unpacked: {error}") from None


@options.command(
    "schedcp-gym leaderboard build",
    "schedcp-gym leaderboard build results/leaderboard mine/ --to /tmp/board",
    group=group,
)
def build(
    entries: Annotated[
        list[Path] | None, typer.Argument(metavar="ENTRY", help="Folders of entries, or folders that contain entries.")
    ] = None,
    into: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Write the pages into this folder.")] = SITE,
) -> None:
    """Write the leaderboard as static pages: open index.html in a browser, without a server or network.

    Entries whose files do not pass `check --no-run` are left out, with the reason.
    """
    from schedcp_gym.leaderboard.site import build as write
    from schedcp_gym.ui import harmless

    shown, refused = write(find_entries(entries or [FOLDER]), into)
    for entry, flaws in refused.items():
        print(harmless(f"left out: {entry}: {flaws[0]}"), file=sys.stderr)
    print(f"{len(shown)} entries: {into / 'index.html'}")
    if refused:
        raise typer.Exit(options.NOT_OK)


def find_entries(paths: Sequence[Path]) -> list[Path]:
    """Return the entries that are given, and those in folders that are given.

    Raises:
        BadInput: A path is neither an entry nor a folder that contains one.
    """
    from schedcp_gym.leaderboard.manifest import MANIFEST
    from schedcp_gym.run.folder import RUNS

    found: dict[Path, None] = {}
    for path in paths:
        is_entry = (path / MANIFEST).is_file() or (path / RUNS).is_file()
        mine = [path] if is_entry else sorted(one.parent for one in path.glob(f"*/{MANIFEST}"))
        if not mine:
            raise BadInput(f"there is no entry in {path}: give an entry's folder, or a folder that contains entries")
        found |= dict.fromkeys(mine)
    return list(found)


def _print(found: "EntryCheck") -> None:
    from schedcp_gym.ui import harmless

    entry = harmless(str(found.entry))
    if not found.is_accepted:
        print(f"{entry}: refused")
        for flaw in found.flaws:
            print(f"  {harmless(str(flaw))}")
    elif found.draw is None:
        why = "trials of the real clock cannot be repeated" if found.clock == "real" else "no trial was run again"
        print(f"{entry}: the files are correct; {why}")
    else:
        print(f"{entry}: accepted; {found.repeated} of {found.trials} trials run again, every figure equal")
        if found.repeated < found.trials:
            print(f"{entry}: drawn by --draw {found.draw}", file=sys.stderr)


def _as_plain(found: "EntryCheck") -> dict[str, Any]:
    figures = {name: getattr(found, name) for name in ("clock", "trials", "repeated", "draw")}
    return {"entry": found.entry, "accepted": found.is_accepted, **figures, "refusals": found.flaws}
