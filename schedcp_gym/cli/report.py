"""``schedcp-gym report``: a page about runs."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schedcp_gym.spec import BadInput

if TYPE_CHECKING:
    from schedcp_gym.report.found import Found
    from schedcp_gym.report.timeline import Timeline

EPILOG = (
    "Examples: [bold]schedcp-gym report runs/MINE[/bold] · "
    "[bold]schedcp-gym report runs/MINE --timeline --perfetto mine.json[/bold] · "
    "[bold]schedcp-gym report runs/suite_smoke --pdf suite.pdf[/bold] · "
    "[bold]schedcp-gym report runs/A runs/B --out both.html[/bold]"
)
NAME = "report.html"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(report)


def report(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN", help="Folders of runs, or folders that hold some, like a suite's.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help=f"The page; of one folder {NAME} in it by default.")
    ] = None,
    pdf: Annotated[Path | None, typer.Option(metavar="FILE", help="Print the page too (needs Chromium).")] = None,
    timeline: Annotated[
        bool, typer.Option("--timeline", help="Run EEVDF and each best policy again, and show who ran when.")
    ] = False,
    perfetto: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write these timelines whole as a trace for ui.perfetto.dev (.json)."),
    ] = None,
) -> None:
    """Write a page about runs: what was found, with intervals, how the search went, what it cost, and the policy.

    One HTML file that needs no network. Nothing is measured; a run that has not ended is told as far as it went.
    Timelines take two more runs in the virtual machine.
    """
    from schedcp_gym.bench.plot import check_file
    from schedcp_gym.files import write_whole
    from schedcp_gym.report.found import Found
    from schedcp_gym.report.page import write_report
    from schedcp_gym.report.pdf import find_chromium, print_pdf
    from schedcp_gym.report.timeline import trace
    from schedcp_gym.run.folder import find_runs

    if out is None and len(runs) > 1:
        raise BadInput(f"these are several folders: name the page with --out, like --out {NAME}")
    path = out or runs[0] / NAME
    folders = {run.path.resolve(): run for given in runs for run in find_runs(given)}
    for file in (path, pdf, perfetto):
        if file:
            check_file(file)
    if pdf:
        find_chromium()
    found = [Found(run) for run in folders.values()]
    lines = _timelines(found) if timeline or perfetto else {}
    write_report(found, path, lines)
    print(path)
    if perfetto:
        write_whole(perfetto, trace([one for own in lines.values() for one in own]))
        print(f"{perfetto}: open it in ui.perfetto.dev")
    if pdf:
        print_pdf(path, pdf)
        print(pdf)


def _timelines(runs: "Sequence[Found]") -> "dict[Path, list[Timeline]]":
    """Those of EEVDF and of the best policy, by the run's folder, for each run that has a best one."""
    import dataclasses

    from schedcp_gym import ui
    from schedcp_gym.lab import Lab
    from schedcp_gym.report.timeline import record_timeline
    from schedcp_gym.spec import EEVDF, Policy, SchedcpError

    with_best = [run for run in runs if run.best]
    if not with_best:
        raise BadInput("none of these runs has a policy that ran to its end, so there is no timeline to show")
    found: dict[Path, list[Timeline]] = {}
    with ui.build_progress() as progress:
        lab = Lab(workers=1, report=progress)
        for run in with_best:
            assert run.best is not None
            trial = run.run.trial_of(run.best)
            for one in {EEVDF: dataclasses.replace(trial, policy=Policy(EEVDF)), trial.policy.name: trial}.values():
                name = ui.harmless(one.policy.name)
                print(f"timeline: {run.name}: {name}", file=sys.stderr)
                try:
                    recorded = record_timeline(lab, one, name if len(with_best) == 1 else f"{run.name}: {name}")
                except SchedcpError as error:  # the page is worth having without it
                    print(f"left out: {ui.harmless(str(error))}", file=sys.stderr)
                else:
                    found.setdefault(run.run.path, []).append(recorded)
    if not found:
        raise SchedcpError("no timeline could be recorded: --timeline and --perfetto have nothing to show")
    return found
