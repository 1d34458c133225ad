"""``schedcp-gym costs``: what runs paid for what they found."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schedcp_gym.cli.options import JsonOption
from schedcp_gym.spec import BadInput

if TYPE_CHECKING:
    from schedcp_gym.llm import Prices

EPILOG = (
    "Examples: [bold]schedcp-gym costs runs/sched runs/naive[/bold] · "
    "[bold]schedcp-gym costs runs/sched runs/naive --prices 3,15[/bold] · "
    "[bold]schedcp-gym costs runs/2026-* --by-agent --json[/bold]"
)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(costs)


def costs(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN", help="Folders of runs; the first is what others are compared with.")
    ],
    agents: Annotated[
        bool, typer.Option("--by-agent", help="Sum up the runs of each agent that asked the same model.")
    ] = False,
    prices: Annotated[
        str | None,
        typer.Option(
            metavar="IN,OUT",
            help="Take all calls at these prices: dollars for a million tokens of prompts, and of answers.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare what runs cost: calls, tokens, dollars and seconds for each working, better, verified and best policy.

    The figures are out of the runs' own ledgers and records. A run of offline-rules has called no language model: its
    tokens are what the same prompts and answers would have been, and are marked as estimates.
    """
    from schedcp_gym.run.costs import by_agent, read_costs
    from schedcp_gym.run.folder import open_run

    same = None if prices is None else read_prices(prices)
    found = [read_costs(open_run(folder), same) for folder in runs]
    found = by_agent(found) if agents else found
    if as_json:
        print(json.dumps([one.plain() for one in found], indent=1))
        return
    from schedcp_gym.cli.costs_table import print_costs

    print_costs(found)


def read_prices(text: str) -> "Prices":
    """Prices as ``--prices`` takes them.

    Raises:
        BadInput: They are not two numbers of 0 or more.
    """
    from pydantic import ValidationError

    from schedcp_gym.llm import Prices

    try:
        prompt_usd, completion_usd = (float(word) for word in text.split(","))
        return Prices(prompt_usd, completion_usd)
    except (ValueError, ValidationError):
        raise BadInput(f"--prices takes two numbers of 0 or more, like 3,15, not {text!r}") from None
