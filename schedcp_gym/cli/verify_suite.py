"""``schedcp-gym verify-suite``: the verifier against all policies whose answer is known."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schedcp_gym.cli.options import NOT_OK, JsonOption, MachineOption
from schedcp_gym.spec import MachineSpec

if TYPE_CHECKING:
    from schedcp_gym.control.verifier.suites import Case, Verdict, Verdicts
    from schedcp_gym.lab import Lab

EPILOG = (
    "Examples: [bold]schedcp-gym verify-suite[/bold] · [bold]schedcp-gym verify-suite bpf[/bold] · "
    "[bold]schedcp-gym verify-suite --only fifo --only bad_after_5s[/bold] · "
    "[bold]schedcp-gym verify-suite --machine llc[/bold]"
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify-suite", epilog=EPILOG)(verify_suite)


def verify_suite(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FOLDER]...", help="Folders of .bpf.c files; if none, all there are."),
    ] = None,
    only: Annotated[list[str] | None, typer.Option("--only", metavar="NAME", help="Only this one; repeat.")] = None,
    results: Annotated[Path, typer.Option(help="Where verdicts are kept; one that is there is not made again.")] = Path(
        "runs/verify-suite.jsonl"
    ),
    machine: MachineOption = "virtual",
    workers: Annotated[int, typer.Option(min=1, max=64, help="Verifications at once.")] = 2,
    as_json: JsonOption = False,
) -> None:
    """Verify policies whose answer is known; print a confusion table. Exits with 0 only if all are right.

    A policy whose first comment is a label (planted: or attack:, stage:, caught-by:) must be caught at that stage or
    before; one without a label must pass. Ctrl-C loses nothing: the same command goes on.
    """
    from rich.console import Console

    from schedcp_gym.control.verifier.suites import Verdicts, find_cases, table
    from schedcp_gym.control.verifier.suites.cases import default_folders
    from schedcp_gym.lab import catalogue

    spec = catalogue.load_machine(machine)
    cases = find_cases(folders or default_folders(), only or ())
    verdicts = run(cases, Verdicts(results), workers, spec=spec)
    if as_json:
        print(json.dumps(table.as_json(cases, verdicts), indent=1))
    else:
        table.print_suite(Console(highlight=False, soft_wrap=True), cases, verdicts)
    if not table.all_right(verdicts):
        raise typer.Exit(NOT_OK)


def run(
    cases: "list[Case]",
    verdicts: "Verdicts",
    workers: int,
    lab: "Lab | None" = None,
    spec: MachineSpec = MachineSpec(),  # noqa: B008  a frozen value
) -> "list[Verdict]":
    """Run a suite on a machine, with a bar on a terminal and lines elsewhere."""
    from rich.markup import escape
    from rich.progress import TextColumn

    from schedcp_gym import ui
    from schedcp_gym.control.verifier.suites import run_suite
    from schedcp_gym.control.verifier.suites.record import verifier_digest
    from schedcp_gym.control.verifier.suites.table import column_of
    from schedcp_gym.control.verifier.verifier import Verifier
    from schedcp_gym.lab import Lab

    with ui.build_progress() as build:
        # One trial at a time in each verification: as many machines at once as there are verifications.
        lab = lab or Lab(workers=1, report=build)
        lab.machine(spec).ensure_snapshot()
    wrong = 0
    with ui.counting_bar(TextColumn("{task.fields[note]}", style="dim")) as bar:
        task = bar.add_task("verifying", total=len(cases), note="")

        def done(case: "Case", verdict: "Verdict") -> None:
            nonlocal wrong
            wrong += not verdict.right
            mark = "" if verdict.right else "WRONG: "
            line = ui.harmless(f"{mark}{case.name}: {column_of(verdict)}: {verdict.why}")
            bar.update(task, advance=1, note=escape(f"{wrong} wrong · {case.name}"))
            if not verdict.right or not bar.console.is_terminal:
                bar.console.print(line, markup=False, soft_wrap=True, style="" if verdict.right else "red")

        return run_suite(
            cases,
            Verifier(lab, spec),
            verdicts,
            verifier_digest=verifier_digest(lab, spec),
            workers=workers,
            done=done,
            stop=lab.stop,
        )
