"""The command ``schedcp-gym mcp``: serve the control plane by the Model Context Protocol (MCP)."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schedcp_gym.cli import options
from schedcp_gym.paths import state_root
from schedcp_gym.spec import BadInput, Scale

if TYPE_CHECKING:
    from schedcp_gym.control.server import ControlPlane
    from schedcp_gym.control.server.audit import AuditLog


@options.command(
    "claude mcp add schedcp -- schedcp-gym mcp --workload schbench # adds it to Claude Code",
    '{"command": "schedcp-gym", "args": ["mcp"]} # for the list of servers of other clients',
    "SCHEDCP_MCP_TOKEN=… schedcp-gym mcp --http 127.0.0.1:8765 # a server, for the next command",
    "claude mcp add --transport http schedcp http://127.0.0.1:8765/mcp --header 'Authorization: Bearer …'",
    "schedcp-gym mcp --workload longtail --scale standard --seed 7 --audit calls.jsonl",
)
def mcp(
    http: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Serve streamable HTTP at http://HOST:PORT/mcp instead of standard input and output. Requests need "
            "the bearer token in $SCHEDCP_MCP_TOKEN; if that is not set, a new token is printed on standard error.",
        ),
    ] = None,
    workloads: Annotated[
        list[str] | None,
        typer.Option("--workload", metavar="NAME", help="Offer only this workload; repeat (default: all)."),
    ] = None,
    scale: options.ScaleOption = Scale.SMOKE,
    seed: options.SeedOption = 0,
    machine: options.MachineOption = "virtual",
    cpus: options.CpusOption = None,
    kernel: options.OtherKernelOption = None,
    repository: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder of the policy repository (default: in the cache).")
    ] = None,
    audit: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write each call to this file (JSON lines). Default: audit.jsonl in $SCHEDCP_STATE, or in "
            "~/.local/state/schedcp_gym.",
        ),
    ] = None,
) -> None:
    """Serve the control plane to an agent by MCP: observe workloads, find policies and try them.

    Machine, scale and seed are set here; no tool can change them. It needs no root access and never changes this host's
    scheduler: policies run in virtual machines.
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
            message = "waiting for MCP on standard input: an MCP client should start this command (see --help)"
            print(message, file=sys.stderr)
        await serving.serve_stdio(server, plane.close)
        return
    token, is_new = serving.http_token()
    where = serving.bind(http)
    host, port = where.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}{serving.PATH}"
    shown = f"token: {token}" if is_new else f"token: the one in ${serving.TOKEN_VARIABLE}"
    print(f"serving {url}\n{shown}", file=sys.stderr, flush=True)
    if not serving.is_loopback(host):
        message = "warning: others on the network can read the token in plain HTTP: use a proxy with TLS"
        print(message, file=sys.stderr)
    await serving.serve_http(server, where, token)


def _default_audit() -> Path:
    folder = state_root()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{folder} cannot be created ({error.strerror}): name a file with --audit") from None
    return folder / "audit.jsonl"
