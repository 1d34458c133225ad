"""The command ``schedcp-gym``: the image, single trials, verification, and what there is."""

import sys
from typing import Annotated

import typer

from schedcp_gym import __version__
from schedcp_gym.cli import (
    analyze,
    bench,
    compare,
    compare_clocks,
    costs,
    deploy,
    evaluate,
    image,
    leaderboard,
    listing,
    mcp,
    report,
    repository,
    repository_measure,
    store,
    table,
    train,
    verify,
    verify_suite,
    watch,
)
from schedcp_gym.spec import SchedcpError

app = typer.Typer(
    help="Beat the Linux scheduler on a real kernel, exactly repeatably.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for module in (
    image,
    evaluate,
    bench,
    compare,
    compare_clocks,
    costs,
    leaderboard,
    analyze,
    verify,
    deploy,
    verify_suite,
    repository,
    repository_measure,
    report,
    mcp,
    watch,
    store,
    table,
    train,
    listing,
):
    module.register(app)
INTERRUPTED = 130


def _tell_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Runs the command; an error a user can mend is one or two lines, not a trace."""
    from schedcp_gym import ui

    ui.log_to_stderr()
    try:
        app(standalone_mode=True)
    except SchedcpError as error:
        print(f"error: {ui.harmless(str(error))}", file=sys.stderr)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
