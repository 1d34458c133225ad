"""``schedcp-gym report``: a page about runs."""

from pathlib import Path
from typing import Annotated

import typer

from schedcp_gym.spec import BadInput

EPILOG = (
    "Examples: [bold]schedcp-gym report runs/MINE[/bold] · "
    "[bold]schedcp-gym report runs/suite_smoke[/bold] · "
    "[bold]schedcp-gym report runs/A runs/B --out both.html[/bold]"
)
NAME = "report.html"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(report)


def report(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN", help="Folders of runs, or folders that hold some, like a suite's.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help=f"The page; of one folder {NAME} in it by default.")
    ] = None,
) -> None:
    """Write a page about runs: what was found, with intervals, how the search went, what it cost, and the policy.

    One HTML file that needs no network. Nothing is measured; a run that has not ended is told as far as it went.
    """
    from schedcp_gym.bench.plot import check_file
    from schedcp_gym.run.results import run_folders

    if out is None and len(runs) > 1:
        raise BadInput(f"these are several folders: name the page with --out, like --out {NAME}")
    path = out or runs[0] / NAME
    folders = list(dict.fromkeys(folder.resolve() for given in runs for folder in run_folders(given)))
    check_file(path)
    from schedcp_gym.report.page import write_report

    write_report(folders, path)
    print(path)
