"""``schedcp-gym watch``: an optimisation for each workload that appears in a container."""

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from schedcp_gym.cli.options import NOT_OK
from schedcp_gym.spec import BadInput

if TYPE_CHECKING:
    from schedcp_gym.control.trigger.watcher import Watcher

#: Seconds a run has to save what it has, once it is interrupted.
GRACE_S = 30.0
SIGNALLED = 128
EPILOG = (
    "Examples: [bold]schedcp-gym watch[/bold] · [bold]schedcp-gym watch --once --dry-run[/bold] (what would be "
    "started for what runs now) · [bold]schedcp-gym watch --match mine.yaml --set budget.evaluations=24[/bold]"
)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(watch)


def watch(
    matches: Annotated[
        list[Path] | None,
        typer.Option("--match", metavar="FILE", help="Rules: which workload a container is; instead of ours. Repeat."),
    ] = None,
    agent: Annotated[str, typer.Option(help="Who optimises.")] = "sched_agent",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="K=V", help="A setting of every run; repeat.")
    ] = None,
    settle_s: Annotated[
        float, typer.Option("--settle", min=0, max=86400, help="Seconds a container must have run.")
    ] = 10.0,
    parallel: Annotated[int, typer.Option(min=1, max=64, help="Runs at once; others wait.")] = 1,
    folder: Annotated[Path, typer.Option(help="For the journal and the runs' folders.")] = Path("runs/watch"),
    cgroup: Annotated[
        Path | None, typer.Option(help="A folder of the cgroup v2 tree; if none, all of it.", show_default=False)
    ] = None,
    runtimes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="How runtimes name containers, instead of ours.")
    ] = None,
    existing: Annotated[bool, typer.Option("--existing", help="Containers that run already count as new.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Only for containers that run now; then end.")] = False,
    dry: Annotated[bool, typer.Option("--dry-run", help="Print what would be started.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print events as JSON lines.")] = False,
) -> None:
    """Start an optimisation for each new workload: a container whose processes a rule knows. Reads only; no root.

    Each container is optimised once. Ctrl-C interrupts the runs and loses nothing: the same command goes on with them.
    """
    from schedcp_gym.control.trigger.journal import Journal
    from schedcp_gym.control.trigger.match import check_agent, check_overrides, load_rules
    from schedcp_gym.control.trigger.runs import Slots
    from schedcp_gym.control.trigger.runtimes import RUNTIMES, Runtimes
    from schedcp_gym.control.trigger.watcher import Plan, Watcher, find_root

    plan = Plan(
        load_rules(matches or ()),
        check_agent(agent),
        check_overrides(settings or ()),
        settle_s,
        existing=existing,
        once=once,
        dry=dry,
    )
    root, known = find_root(cgroup), Runtimes(runtimes or RUNTIMES)
    with _claimed(folder, dry=dry):
        journal = Journal(folder, _print_json if as_json else _print, kept=not dry)
        watcher = Watcher(root, known, plan, Slots(parallel, GRACE_S), journal)
        stopped_by = asyncio.run(_until_stopped(watcher))
    if stopped_by:
        _tell_how_to_go_on(watcher)
        raise typer.Exit(SIGNALLED + stopped_by)
    if watcher.failed:
        raise typer.Exit(NOT_OK)


async def _until_stopped(watcher: "Watcher") -> int:
    """Watches; returns the signal that ended it, 0 if none did."""
    received: list[int] = []

    def stop(number: int) -> None:
        received.append(number)
        watcher.stop()
        if len(received) == 1 and watcher.is_running:
            _say("interrupting the runs; once more kills them")

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    await watcher.watch()
    return received[0] if received else 0


@contextlib.contextmanager
def _claimed(folder: Path, *, dry: bool) -> Iterator[None]:
    """Keeps a second watcher out of a folder."""
    import filelock

    if dry:
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / ".lock", timeout=0)
        lock.acquire()
    except filelock.Timeout:
        raise BadInput(f"a watcher is at work in {folder}; use another --folder") from None
    except OSError as error:
        raise BadInput(f"{folder} can't be used: {error.strerror}; use another --folder") from None
    try:
        yield
    finally:
        lock.release()


def _tell_how_to_go_on(watcher: "Watcher") -> None:
    if not watcher.interrupted:
        _say("stopped; no run was under way")
        return
    _say(f"interrupted; the same command goes on with what is not done ({len(watcher.interrupted)} begun). By hand:")
    for order in watcher.interrupted:
        _say(f"  {order.line}")


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody listens any more
        print(text, file=sys.stderr, flush=True)


def _print_json(entry: dict[str, Any]) -> None:
    print(json.dumps(entry), flush=True)


def _print(entry: dict[str, Any]) -> None:
    from schedcp_gym.ui import harmless

    text = harmless(f"{entry['at'][11:19]} {entry['kind']:<11} {_words(entry)}").replace("\n", " ")
    print(text.encode(errors="backslashreplace").decode(), flush=True)


def _words(entry: dict[str, Any]) -> str:
    where = entry.get("cgroup", "")
    match entry["kind"]:
        case "watching":
            return f"{entry['root']}: {entry['cgroups']} cgroups, {entry['containers']} running containers"
        case "appeared":
            return f"{entry['runtime']}: {where}"
        case "unmatched":
            return f"{where}: no rule for {', '.join(entry['processes']) or 'no process'}"
        case "queued" if entry.get("dry"):
            return f"{entry['workload']} ({entry['process']} in {where}): would start {entry['command']}"
        case "queued":
            return f"{entry['workload']} ({entry['process']} in {where}): {entry['run']}"
        case "started" | "interrupted":
            return f"{entry['workload']}: {entry['run']}"
        case "finished" if entry["improvement"] is not None:
            gained = f"{entry['policy']} {entry['improvement']:.2f}x EEVDF"
            return f"{entry['workload']}: {gained}: {entry['run']}"
        case "finished":
            return f"{entry['workload']}: no policy: {entry['run']}: {entry['words']}"
        case "failed":
            return f"{entry['workload']}: {entry['run']}: {entry['words'] or 'ended without a word'}"
        case _:
            return f"{where}: {entry['why']}"
