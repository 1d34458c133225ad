"""The command ``schedcp-gym verify-suite``: run the verifier on policies whose right verdict is known."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schedcp_gym.cli import options
from schedcp_gym.spec import MachineSpec

if TYPE_CHECKING:
    from schedcp_gym.control.verifier.suites import Case, Verdict, Verdicts
    from schedcp_gym.lab import Lab


@options.command(
    "schedcp-gym verify-suite",
    "schedcp-gym verify-suite bpf",
    "schedcp-gym verify-suite --only fifo --only bad_after_5s",
    "schedcp-gym verify-suite --machine llc",
)
def verify_suite(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="[FOLDER]...", help="Folders of .bpf.c files (default: all).")
    ] = None,
    only: Annotated[list[str] | None, typer.Option("--only", metavar="NAME", help="Only this policy; repeat.")] = None,
    results: Annotated[
        Path, typer.Option(help="File of verdicts; a policy with a verdict in it is not verified again.")
    ] = Path("runs/verify-suite.jsonl"),
    machine: options.MachineOption = "virtual",
    workers: Annotated[int, typer.Option(min=1, max=64, help="Verifications that run at once.")] = 2,
    as_json: options.JsonOption = False,
) -> None:
    """Verify policies whose right verdict is known, and print a confusion table. Exit with 0 only if all are right.

    If a policy's first comment is a label (planted: or attack:, stage:, caught-by:), that stage or an earlier one must
    reject it; a policy without a label must pass. After Ctrl-C, the same command continues.
    """
    from rich.console import Console

    from schedcp_gym.control.verifier.suites import Verdicts, find_cases, table
    from schedcp_gym.control.verifier.suites.cases import default_folders
    from schedcp_gym.lab import catalogue
    from schedcp_gym.printing import print_json

    spec = catalogue.load_machine(machine)
    cases = find_cases(folders or default_folders(), only or ())
    verdicts = run(cases, Verdicts(results), workers, spec=spec)
    if as_json:
        print_json(table.as_json(cases, verdicts))
    else:
        table.print_suite(Console(highlight=False, soft_wrap=True), cases, verdicts)
    if not table.all_right(verdicts):
        raise typer.Exit(options.NOT_OK)


def run(
    cases: "list[Case]",
    verdicts: "Verdicts",
    workers: int,
    lab: "Lab | None" = None,
    spec: MachineSpec = MachineSpec(),  # noqa: B008  a frozen value
) -> "list[Verdict]":
    """Run a suite on a machine, with a progress bar on a terminal and lines elsewhere."""
    from rich.markup import escape
    from rich.progress import TextColumn

    from schedcp_gym import ui
    from schedcp_gym.control.verifier.suites import run_suite
    from schedcp_gym.control.verifier.suites.record import verifier_digest
    from schedcp_gym.control.verifier.suites.table import column_of
    from schedcp_gym.control.verifier.verifier import Verifier

    # Each verification runs one trial at a time, so `workers` machines run at once.
    lab = lab or options.open_lab(spec, workers=1)
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
