"""The command ``schedcp-gym verify``: check a policy with the execution verifier."""

from typing import TYPE_CHECKING, Annotated

import typer

from schedcp_gym.cli import options
from schedcp_gym.control.verifier.report import Severity, Stage, StageReport

if TYPE_CHECKING:
    from rich.console import Console


@options.command(
    "schedcp-gym verify bpf/vtime.bpf.c",
    "schedcp-gym verify ./mine.bpf.c --set slice_us=500 --json",
    "schedcp-gym verify ./mine.bpf.c --stage source --stage kernel",
)
def verify(
    policy: Annotated[str, typer.Argument(help="A policy's name, or the path of a .bpf.c file.")],
    tunables: options.SetOption = None,
    stages: Annotated[
        list[Stage] | None,
        typer.Option("--stage", help="Run only these stages; repeat. The source is always checked."),
    ] = None,
    machine: options.MachineOption = "virtual",
    cpus: options.CpusOption = None,
    kernel: options.OtherKernelOption = None,
    evidence: Annotated[bool, typer.Option(help="Print all figures, and the whole log of a failed stage.")] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Verify a policy: source, kernel, behaviour, performance. If it passes, print its token and exit with status 0."""
    from rich.console import Console

    from schedcp_gym import ui
    from schedcp_gym.control.verifier.verifier import Verifier
    from schedcp_gym.lab import catalogue
    from schedcp_gym.printing import print_json

    console = Console(highlight=False, soft_wrap=True)
    chosen = catalogue.load_policy(policy, options.pairs(tunables))
    spec = catalogue.load_machine(machine, cpus=cpus, kernel=kernel)
    lab = options.open_lab(spec)
    with ui.stages(shown=not as_json) as pause:
        report = Verifier(lab, spec).verify(
            chosen,
            stages=stages or tuple(Stage),
            on_stage=None if as_json else lambda stage: pause(lambda: print_stage(console, stage, everything=evidence)),
        )
    if as_json:
        print_json({"passed": report.passed, "caught_at": report.caught_at, **vars(report)})
    elif report.token:
        console.print(f"token: {report.token}", markup=False)
    if not report.passed:
        raise typer.Exit(options.NOT_OK)


def print_stage(console: "Console", stage: StageReport, *, everything: bool = False) -> None:
    """Print the result of a stage in one line, and below it the details of a failure.

    Args:
        console: Print there.
        stage: The stage's report.
        everything: Also print the figures within their limits, and the whole log of a failure.
    """
    from schedcp_gym.ui import harmless

    def say(line: str) -> None:
        console.print(harmless(line), markup=False)

    failed = "[yellow]fault of the host[/]" if stage.infra_fault else "[red]FAILED[/]"
    verdict = "[green]passed[/]" if stage.passed else failed
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
