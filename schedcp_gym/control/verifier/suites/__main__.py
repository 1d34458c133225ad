"""``python -m schedcp_gym.control.verifier.suites``: the verifier against all policies whose answer is known."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from schedcp_gym import ui
from schedcp_gym.control.verifier.suites.cases import Case, default_folders, find_cases
from schedcp_gym.control.verifier.suites.record import Verdict, Verdicts, verifier_digest
from schedcp_gym.control.verifier.suites.runner import run_suite
from schedcp_gym.control.verifier.suites.table import all_right, as_json, column_of, print_suite
from schedcp_gym.lab import Lab
from schedcp_gym.spec import MachineSpec, SchedcpError

NOT_ALL_RIGHT = 1
INTERRUPTED = 130


def suite(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FOLDER]...", help="Folders of .bpf.c files; if none, all there are."),
    ] = None,
    only: Annotated[list[str] | None, typer.Option("--only", metavar="NAME", help="Only this one; repeat.")] = None,
    results: Annotated[Path, typer.Option(help="Where verdicts are kept; one that is there is not made again.")] = Path(
        "runs/verify-suite.jsonl"
    ),
    workers: Annotated[int, typer.Option(min=1, max=64, help="Verifications at once.")] = 2,
    as_json_: Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")] = False,
) -> None:
    """Verify policies whose answer is known; print a confusion table. Exits with 0 only if all are right.

    A policy whose first comment is a label (planted: or attack:, stage:, caught-by:) must be caught at that stage or
    before; one without a label must pass. Ctrl-C loses nothing: the same command goes on.
    """
    cases = find_cases(folders or default_folders(), only or ())
    verdicts = run(cases, Verdicts(results), workers)
    if as_json_:
        print(json.dumps(as_json(cases, verdicts), indent=1))
    else:
        print_suite(Console(highlight=False, soft_wrap=True), cases, verdicts)
    if not all_right(verdicts):
        raise typer.Exit(NOT_ALL_RIGHT)


def run(cases: list[Case], verdicts: Verdicts, workers: int, lab: Lab | None = None) -> list[Verdict]:
    """Runs a suite on the default machine, with a bar on a terminal and lines elsewhere."""
    from schedcp_gym.control.verifier.verifier import Verifier

    spec = MachineSpec()
    with ui.build_progress() as build:
        # One trial at a time in each verification: as many machines at once as there are verifications.
        lab = lab or Lab(workers=1, report=build)
        lab.machine(spec).ensure_snapshot()
    console = Console(stderr=True, highlight=False)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", style="dim"),
        console=console,
        disable=not console.is_terminal,
    )
    wrong = 0
    with bar:
        task = bar.add_task("verifying", total=len(cases), note="")

        def done(case: Case, verdict: Verdict) -> None:
            nonlocal wrong
            wrong += not verdict.right
            mark = "" if verdict.right else "WRONG: "
            line = f"{mark}{case.name}: {column_of(verdict)}: {verdict.why}"
            bar.update(task, advance=1, note=escape(f"{wrong} wrong · {case.name}"))
            if not verdict.right or not console.is_terminal:
                console.print(line, markup=False, soft_wrap=True, style="" if verdict.right else "red")

        return run_suite(
            cases,
            Verifier(lab, spec),
            verdicts,
            verifier_digest=verifier_digest(lab, spec),
            workers=workers,
            done=done,
            stop=lab.stop,
        )


def main() -> None:
    """Runs the command; an error a user can mend is a line or two."""
    ui.log_to_stderr()
    try:
        typer.run(suite)
    except SchedcpError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on", file=sys.stderr)
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
