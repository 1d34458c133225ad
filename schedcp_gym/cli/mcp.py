"""``schedcp-gym mcp``: the control plane as an MCP server."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schedcp_gym.cli.options import (
    CpusOption,
    MachineOption,
    OtherKernelOption,
    ScaleOption,
    SeedOption,
)
from schedcp_gym.spec import BadInput, Scale

if TYPE_CHECKING:
    from schedcp_gym.control.server import ControlPlane
    from schedcp_gym.control.server.audit import AuditLog

EPILOG = (
    "Examples: [bold]claude mcp add schedcp -- schedcp-gym mcp --workload schbench[/bold] adds it to Claude Code; "
    'other clients take [bold]{"command": "schedcp-gym", "args": ["mcp"]}[/bold] among their servers · '
    "[bold]SCHEDCP_MCP_TOKEN=… schedcp-gym mcp --http 127.0.0.1:8765[/bold], then "
    '[bold]claude mcp add --transport http schedcp http://127.0.0.1:8765/mcp --header "Authorization: Bearer …"'
    "[/bold] · [bold]schedcp-gym mcp --workload longtail --scale standard --seed 7 --audit calls.jsonl[/bold]"
)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(mcp)


def mcp(
    http: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Serve streamable HTTP at http://HOST:PORT/mcp instead of standard input and output. Requests need "
            "the bearer token of $SCHEDCP_MCP_TOKEN; if that is not set, one is made and printed to standard error.",
        ),
    ] = None,
    workloads: Annotated[
        list[str] | None,
        typer.Option("--workload", metavar="NAME", help="Only this workload; repeat. All if none is given."),
    ] = None,
    scale: ScaleOption = Scale.SMOKE,
    seed: SeedOption = 0,
    machine: MachineOption = "virtual",
    cpus: CpusOption = None,
    kernel: OtherKernelOption = None,
    repository: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The policy repository's; in the cache if not given.")
    ] = None,
    audit: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where each call is written (JSON lines). If not given, audit.jsonl in $SCHEDCP_STATE, else in "
            "~/.local/state/schedcp_gym.",
        ),
    ] = None,
) -> None:
    """Serve the control plane to an agent by the Model Context Protocol: observe workloads, find and try policies.

    Machine, scale and seed are the server's; no tool takes them. Nothing needs root, and this host's scheduler is never
    touched: policies run in virtual machines.
    """
    import anyio

    from schedcp_gym import ui
    from schedcp_gym.control.repository import open_library
    from schedcp_gym.control.server import ControlPlane
    from schedcp_gym.control.server.audit import AuditLog
    from schedcp_gym.lab import Lab, catalogue

    log = AuditLog(audit or _default_audit())
    with ui.build_progress() as progress:
        plane = ControlPlane(
            Lab(report=progress),
            repository=open_library(repository),
            workloads=workloads or None,
            machine=catalogue.load_machine(machine, cpus=cpus, kernel=kernel),
            scale=scale,
            seed=seed,
        )
        try:
            anyio.run(_serve, plane, log, http)
        finally:
            plane.close()
            log.close()


async def _serve(plane: "ControlPlane", log: "AuditLog", http: str | None) -> None:
    from schedcp_gym.control.server import serving
    from schedcp_gym.control.server.server import build_server

    server = build_server(plane, log)
    if http is None:
        if sys.stdin.isatty():
            print("speaking MCP on standard input and output; a client starts this (--help says how)", file=sys.stderr)
        await serving.serve_stdio(server, plane.close)
        return
    token, is_new = serving.http_token()
    where = serving.bind(http)
    host, port = where.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}{serving.PATH}"
    said = f"token: {token}" if is_new else f"token: that of ${serving.TOKEN_VARIABLE}"
    print(f"serving {url}\n{said}", file=sys.stderr, flush=True)
    if not serving.is_loopback(host):
        print("warning: plain HTTP: whoever is on the way reads the token; put TLS before it", file=sys.stderr)
    await serving.serve_http(server, where, token)


def _default_audit() -> Path:
    import platformdirs

    folder = Path(os.environ.get("SCHEDCP_STATE") or platformdirs.user_state_dir("schedcp_gym"))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{folder} can't be made ({error.strerror}): name a file with --audit") from None
    return folder / "audit.jsonl"
