"""``schedcp-gym verify``: a policy through the execution verifier."""

import json
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
from schedcp_gym.control.verifier.report import Severity, Stage, StageReport, VerifierReport

if TYPE_CHECKING:
    from rich.console import Console

EPILOG = (
    "Examples: [bold]schedcp-gym verify bpf/vtime.bpf.c[/bold] · "
    "[bold]schedcp-gym verify ./mine.bpf.c --set slice_us=500 --json[/bold] · "
    "[bold]schedcp-gym verify ./mine.bpf.c --stage source --stage kernel[/bold]"
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(verify)


def verify(
    policy: Annotated[str, typer.Argument(help="A policy's name, or the path of a .bpf.c file.")],
    tunables: SetOption = None,
    stages: Annotated[
        list[Stage] | None,
        typer.Option("--stage", help="Run these stages only; repeat. The source is checked in any case."),
    ] = None,
    machine: MachineOption = "virtual",
    cpus: CpusOption = None,
    kernel: OtherKernelOption = None,
    evidence: Annotated[bool, typer.Option(help="Show all figures, and the whole log of a stage that fails.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Verify a policy: source, kernel, behaviour, performance. Exits with 0 if it passes, and prints its token."""
    from rich.console import Console

    from schedcp_gym import ui
    from schedcp_gym.control.verifier.verifier import Verifier
    from schedcp_gym.lab import Lab, catalogue

    console = Console(highlight=False, soft_wrap=True)
    chosen = catalogue.load_policy(policy, pairs(tunables or []))
    spec = catalogue.load_machine(machine, cpus=cpus, kernel=kernel)
    with ui.build_progress() as build:
        lab = Lab(report=build)
        lab.machine(spec).ensure_snapshot()
    with ui.stages(shown=not as_json) as said:
        report = Verifier(lab, spec).verify(
            chosen,
            stages=stages or tuple(Stage),
            on_stage=None if as_json else lambda stage: said(lambda: print_stage(console, stage, everything=evidence)),
        )
    if as_json:
        print(to_json(report))
    elif report.token:
        console.print(f"token: {report.token}", markup=False)
    if not report.passed:
        raise typer.Exit(NOT_OK)


def to_json(report: VerifierReport) -> str:
    """Return a report as JSON, with ``passed`` and ``caught_at``."""
    from pydantic import TypeAdapter

    verdict = {"passed": report.passed, "caught_at": report.caught_at}
    return json.dumps({**verdict, **TypeAdapter(VerifierReport).dump_python(report, mode="json")}, indent=1)


def print_stage(console: "Console", stage: StageReport, *, everything: bool = False) -> None:
    """Print a line for a stage, and below it what a reader needs to fix a failure.

    Args:
        console: Where.
        stage: What a stage said.
        everything: Also the figures that are well, and the whole log of a failure.
    """
    from schedcp_gym.ui import harmless

    def say(line: str) -> None:
        console.print(harmless(line), markup=False)

    verdict = (
        "[green]passed[/]"
        if stage.passed
        else "[yellow]fault of the host[/]"
        if stage.infra_fault
        else "[red]FAILED[/]"
    )
    console.print(f"{stage.stage.value:<12}{verdict}  {stage.timings_s.get('total', 0.0):5.1f} s  ", end="")
    say(stage.summary)
    for finding in stage.findings:
        at = f"line {finding.line}: " if finding.line else ""
        mark = "error" if finding.severity is Severity.ERROR else "warning"
        say(f"  {mark} {finding.rule}: {at}{finding.why}")
        say(f"    fix: {finding.fix}")
    for figure in stage.figures:
        if everything or not figure.kept:
            value = "none" if figure.value is None else f"{figure.value:g}"
            sign = ">=" if figure.at_least else "<="
            say(f"  {figure.case}: {figure.name} {value}, wanted {sign} {figure.limit:g}")
            if not figure.kept and figure.why:
                say(f"    {figure.why}")
    shown = "" if stage.passed else stage.log if everything else stage.evidence
    for line in shown.splitlines():
        say(f"  | {line}")
