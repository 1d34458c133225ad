"""``schedcp-gym deploy``: a verified policy to a running workload, with a circuit breaker."""

import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schedcp_gym.cli.options import (
    NOT_OK,
    CpusOption,
    JsonOption,
    MachineOption,
    OtherKernelOption,
    SetOption,
    pairs,
)
from schedcp_gym.spec import BadInput, Policy, Scale

if TYPE_CHECKING:
    from schedcp_gym.control.verifier.canary import CanaryConfig, CanaryReport

TOKEN_FILE_LIMIT = 1 << 16
EPILOG = (
    "Examples: [bold]schedcp-gym deploy vtime --token @vtime.token[/bold] · "
    "[bold]schedcp-gym deploy ./mine.bpf.c --token scp1.… --workload longtail --fallback vtime --json[/bold]"
)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(deploy)


def deploy(
    policy: Annotated[str, typer.Argument(help="A policy's name, or the path of a .bpf.c file.")],
    token: Annotated[str, typer.Option(help="What `schedcp-gym verify` printed, or @FILE that holds it.")],
    workload: Annotated[str, typer.Option(help="A workload's name.")] = "schbench",
    fallback: Annotated[
        str, typer.Option(help="The last good scheduler: eevdf, or a policy of the library.")
    ] = "eevdf",
    tunables: SetOption = None,
    shares: Annotated[str, typer.Option(help="Percent of the tasks, growing; empty: all at once.")] = "10,25,50",
    limits: Annotated[
        list[str] | None,
        typer.Option(
            "--limit", metavar="K=V", help="A limit: stall_ms, latency_floor_ms, …; a wrong name lists them. Repeat."
        ),
    ] = None,
    scale: Annotated[Scale, typer.Option(help="How long the workload runs.")] = Scale.STANDARD,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="The workload's seed.")] = 0,
    machine: MachineOption = "virtual",
    cpus: CpusOption = None,
    kernel: OtherKernelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Deploy a verified policy to a share of a workload's tasks, then to all. Exits with 0 if it is kept."""
    from schedcp_gym import ui
    from schedcp_gym.control.verifier import canary
    from schedcp_gym.lab import Lab, catalogue

    config = _config(shares, limits or [])
    with ui.build_progress() as progress:
        report = canary.deploy(
            catalogue.load_policy(policy, pairs(tunables or [])),
            _token(token),
            catalogue.load_workload(workload),
            lab=Lab(workers=1, report=progress),
            spec=catalogue.load_machine(machine, cpus=cpus, kernel=kernel),
            config=config,
            fallback=_fallback(fallback),
            scale=scale,
            seed=seed,
        )
    if as_json:
        print(json.dumps({**report.exact(), "revert_ms": report.revert_ms, "timings_s": report.timings_s}, indent=1))
    else:
        _print(report)
    if not report.kept:
        raise typer.Exit(NOT_OK)


def _fallback(name: str) -> "Policy":
    """What schedules when the policy does not: nothing that nobody has verified."""
    from schedcp_gym.lab import catalogue

    if name not in catalogue.policy_names():
        raise catalogue.unknown("fallback", name, catalogue.policy_names())
    return catalogue.load_policy(name)


def _token(text: str) -> str:
    if not text.startswith("@"):
        return text
    try:
        with Path(text[1:]).open(encoding="ascii") as file:
            return file.read(TOKEN_FILE_LIMIT)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the token's file {text[1:]} can't be read: {error}") from None


def _config(shares: str, limits: list[str]) -> "CanaryConfig":
    from pydantic import TypeAdapter, ValidationError

    from schedcp_gym.control.verifier.canary import CanaryConfig
    from schedcp_gym.lab.catalogue import unknown
    from schedcp_gym.spec.errors import first_fault

    values = pairs(limits, "--limit")
    try:
        values["shares_percent"] = tuple(int(share) for share in shares.split(",") if share.strip())
        return TypeAdapter(CanaryConfig).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "unexpected_keyword_argument":
            raise unknown("limit", str(first["loc"][0]), (each.name for each in fields(CanaryConfig))) from None
        raise BadInput(first_fault(error)) from None
    except ValueError:
        raise BadInput(f"--shares takes whole numbers with commas between them, not {shares!r}") from None


def _print(report: "CanaryReport") -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from schedcp_gym.ui import harmless

    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("phase", "share", "from", "for", "tasks", "longest wait", "mean wait", "wake-up", "progress"):
        table.add_column(heading, justify="left" if heading == "phase" else "right", no_wrap=True)
    for phase in report.phases:
        waits = [
            f"{phase.figures[name]:.1f} ms" if name in phase.figures else "-"
            for name in ("longest_wait_ms", "mean_wait_ms", "wake_wait_ms")
        ]
        progress = f"{phase.figures['progress']:.2f}" if "progress" in phase.figures else "-"
        times = (f"{phase.began_s:.2f} s", f"{phase.lasted_s:.2f} s")
        table.add_row(
            escape(harmless(phase.name)),
            f"{phase.share_percent} %",
            *times,
            f"{phase.canary_tasks}/{phase.tasks}",
            *waits,
            progress,
        )
    Console().print(table)
    print(harmless(f"{report.verdict.value}{f': {report.reason}' if report.reason else ''}"))
    if report.revert_ms is not None:
        back = f"{report.in_charge} in charge {report.revert_ms:.0f} ms after the breach"
        print(harmless(f"{back}, {report.tasks_lost} of {report.tasks_before} tasks lost"))
