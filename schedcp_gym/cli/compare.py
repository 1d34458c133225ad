"""``schedcp-gym compare``: agents side by side, by what their runs scored on held-out seeds."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from schedcp_gym.cli.options import JsonOption
from schedcp_gym.spec import BadInput

EPILOG = (
    "Examples: [bold]schedcp-gym compare runs/suite_standard[/bold] · "
    "[bold]schedcp-gym compare runs/suite_smoke --csv agents.csv --plot agents.html[/bold] · "
    "[bold]schedcp-gym compare runs/sched runs/naive --json[/bold]"
)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(compare)


def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN", help="Folders of runs, or folders that hold some, like a suite's.")
    ],
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999, help="Of the intervals.")] = 0.95,
    prices: Annotated[
        str | None,
        typer.Option(metavar="IN,OUT", help="Take all calls at these prices: dollars for a million tokens."),
    ] = None,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures, a row for each agent.")] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw them: a page (.html) or an image (.png, .svg, .pdf).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare agents by their runs' scores: the chosen policy of each run, on workload seeds that no search has seen.

    Interquartile means with stratified bootstrap intervals, performance profiles, probabilities of improvement, what is
    missing to the known bound and to the best, what it took; and EEVDF against itself. A run none of whose policies
    ran to its end counts as the worst. Runs that have not ended are left out, and named.
    """
    from schedcp_gym.bench.plot import check_file, check_path
    from schedcp_gym.cli.costs import read_prices
    from schedcp_gym.run.scores import read_scores

    if csv:
        check_file(csv)
    if plot:
        check_path(plot)
    found = read_scores(runs, None if prices is None else read_prices(prices))
    for folder in found.unended:
        print(f"left out: {folder} has not ended", file=sys.stderr)
    if not found.scores:
        raise BadInput("none of these runs has ended: the command that began one goes on with it")

    from schedcp_gym.bench.comparison import compare_scores, plain, rows_of

    comparison = compare_scores(found.scores, found.control, confidence=confidence)
    if csv:
        import pandas as pd

        pd.DataFrame(rows_of(comparison)).to_csv(csv, index=False)
    if plot:
        from schedcp_gym.bench.comparison_plot import write_comparison

        write_comparison(comparison, plot)
    if as_json:
        print(json.dumps(plain(comparison), indent=1))
        return
    from schedcp_gym.cli.compare_table import print_comparison

    print_comparison(comparison, found.budgets)
