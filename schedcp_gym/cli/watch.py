"""The command ``schedcp-gym watch``: start an optimisation for each workload that appears in a container."""

import re
import signal
from pathlib import Path
from typing import Annotated

import typer

from schedcp_gym.cli import options
from schedcp_gym.spec import BadInput


@options.command(
    "schedcp-gym watch --once --dry-run", "schedcp-gym watch --rules mine.yaml --set budget.evaluations=24"
)
def watch(
    rules: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Rules to try before the built-in ones: lines WORKLOAD: [PROGRAM, …]."),
    ] = None,
    agent: Annotated[str, typer.Option(help="The agent that optimises.")] = "sched_agent",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="K=V", help="A setting of every run; repeat.")
    ] = None,
    settle_s: Annotated[
        float, typer.Option("--settle", min=0, max=86400, help="Seconds a container must have run.")
    ] = 10.0,
    folder: Annotated[Path, typer.Option(help="Folder for the runs.")] = Path("runs/watch"),
    once: Annotated[bool, typer.Option("--once", help="Only for containers that run now; then stop.")] = False,
    dry: Annotated[bool, typer.Option("--dry-run", help="Print what would be started.")] = False,
) -> None:
    """Start an optimisation for each new container with a known program. It reads /proc only and needs no root.

    Each container has one run. Ctrl-C interrupts it, and prints the command that continues it.
    """
    from schedcp_gym.control.trigger.containers import load_rules
    from schedcp_gym.control.trigger.watcher import Watcher
    from schedcp_gym.lab.catalogue import unknown
    from schedcp_gym.paths import CONFIGS

    agents = [path.stem for path in (CONFIGS / "agent").glob("*.yaml")]
    if agent not in agents:
        raise unknown("agent", agent, agents)
    options.pairs(settings)
    if not re.fullmatch(r"[\w./@+-]+", str(folder)):
        raise BadInput(f"--folder {folder}: it may have letters, digits and . / @ + - _ only")
    watcher = Watcher(_say, load_rules(rules), agent, tuple(settings or ()), settle_s, folder, once, dry)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    watcher.watch()
    if watcher.failed:
        raise typer.Exit(options.NOT_OK)


def _say(text: str) -> None:
    from schedcp_gym.ui import harmless

    print(harmless(text).replace("\n", " ").encode(errors="backslashreplace").decode(), flush=True)
