"""The command ``schedcp-gym deploy``: deploy a verified policy to a running workload, and revert it if it harms."""

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schedcp_gym.cli import options
from schedcp_gym.spec import BadInput, Policy, Scale

if TYPE_CHECKING:
    from schedcp_gym.control.verifier.canary import CanaryConfig, CanaryReport

TOKEN_FILE_LIMIT = 1 << 16


@options.command(
    "schedcp-gym deploy vtime --token @vtime.token",
    "schedcp-gym deploy ./mine.bpf.c --token scp1.… --workload longtail --fallback vtime --json",
)
def deploy(
    policy: Annotated[str, typer.Argument(help="A policy's name, or the path of a .bpf.c file.")],
    token: Annotated[str, typer.Option(help="The token that `schedcp-gym verify` printed, or @FILE that contains it.")],
    workload: Annotated[str, typer.Option(help="A workload's name.")] = "schbench",
    fallback: Annotated[
        str, typer.Option(help="The scheduler to return to: eevdf, or a policy of the library.")
    ] = "eevdf",
    tunables: options.SetOption = None,
    shares: Annotated[
        str, typer.Option(help="Percent of the tasks in each phase, growing; empty: all tasks at once.")
    ] = "10,25,50",
    limits: Annotated[
        list[str] | None,
        typer.Option("--limit", metavar="K=V", help="A limit: stall_ms, latency_floor_ms, …; `--limit x=1` lists all."),
    ] = None,
    scale: options.ScaleOption = Scale.STANDARD,
    seed: options.SeedOption = 0,
    machine: options.MachineOption = "virtual",
    cpus: options.CpusOption = None,
    kernel: options.OtherKernelOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Deploy a verified policy to a share of a workload's tasks, then to all. The exit status is 0 if it is kept."""
    from schedcp_gym import ui
    from schedcp_gym.control.verifier import canary
    from schedcp_gym.lab import Lab, catalogue

    config = _config(shares, limits)
    with ui.build_progress() as progress:
        report = canary.deploy(
            catalogue.load_policy(policy, options.pairs(tunables)),
            options.read_text(Path(token[1:]), TOKEN_FILE_LIMIT) if token.startswith("@") else token,
            catalogue.load_workload(workload),
            lab=Lab(workers=1, report=progress),
            spec=catalogue.load_machine(machine, cpus=cpus, kernel=kernel),
            config=config,
            fallback=_fallback(fallback),
            scale=scale,
            seed=seed,
        )
    if as_json:
        from schedcp_gym.printing import print_json

        print_json({**report.exact(), "revert_ms": report.revert_ms, "timings_s": report.timings_s})
    else:
        _print(report)
    if not report.kept:
        raise typer.Exit(options.NOT_OK)


def _fallback(name: str) -> "Policy":
    """Return the fallback: only policies of the library are allowed, because they are verified."""
    from schedcp_gym.lab import catalogue

    if name not in catalogue.policy_names():
        raise catalogue.unknown("fallback", name, catalogue.policy_names())
    return catalogue.load_policy(name)


def _config(shares: str, limits: list[str] | None) -> "CanaryConfig":
    from pydantic import TypeAdapter, ValidationError

    from schedcp_gym.control.verifier.canary import CanaryConfig
    from schedcp_gym.lab.catalogue import unknown
    from schedcp_gym.spec.errors import first_fault

    values = options.pairs(limits, "--limit")
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
    from schedcp_gym.printing import console_of, safe, table_of
    from schedcp_gym.ui import harmless

    waits = ("longest_wait_ms", "mean_wait_ms", "wake_wait_ms")
    rows = [
        (
            safe(phase.name),
            f"{phase.share_percent} %",
            f"{phase.began_s:.2f} s",
            f"{phase.lasted_s:.2f} s",
            f"{phase.canary_tasks}/{phase.tasks}",
            *(f"{phase.figures[name]:.1f} ms" if name in phase.figures else "-" for name in waits),
            f"{phase.figures['progress']:.2f}" if "progress" in phase.figures else "-",
        )
        for phase in report.phases
    ]
    headings = ("phase", "share", "from", "for", "tasks", "longest wait", "mean wait", "wake-up", "progress")
    console_of().print(table_of(headings, rows, right=headings[1:], whole=headings))
    print(harmless(f"{report.verdict.value}{f': {report.reason}' if report.reason else ''}"))
    if report.revert_ms is not None:
        back = f"{report.in_charge} in charge {report.revert_ms:.0f} ms after the breach"
        print(harmless(f"{back}, {report.tasks_lost} of {report.tasks_before} tasks lost"))
