"""The command ``schedcp-gym``. Each module here adds one command, or a group of commands, to :data:`options.app`."""

import sys
from typing import Annotated

import typer

from schedcp_gym import __version__
from schedcp_gym.cli import (  # noqa: F401  each import adds commands
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
from schedcp_gym.cli.options import app
from schedcp_gym.extras import missing_extra
from schedcp_gym.spec import SchedcpError

__all__ = ["app", "main"]
INTERRUPTED = 130


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command. An error that the user can fix is printed in one or two lines, without a traceback."""
    from schedcp_gym import ui

    ui.log_to_stderr()
    try:
        app(standalone_mode=True)
    except (SchedcpError, ModuleNotFoundError) as error:
        problem = error if isinstance(error, SchedcpError) else missing_extra(error)
        if problem is None:
            raise
        print(f"error: {ui.harmless(str(problem))}", file=sys.stderr)
        sys.exit(problem.exit_status)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
