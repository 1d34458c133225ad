"""The command ``schedcp-gym report``: write a page about runs."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schedcp_gym.cli import options
from schedcp_gym.spec import BadInput

if TYPE_CHECKING:
    from schedcp_gym.report.found import Found
    from schedcp_gym.report.timeline import Timeline

NAME = "report.html"


@options.command(
    "schedcp-gym report runs/MINE",
    "schedcp-gym report runs/MINE --timeline --perfetto mine.json",
    "schedcp-gym report runs/suite_smoke --pdf suite.pdf",
    "schedcp-gym report runs/A runs/B --out both.html",
)
def report(
    runs: options.RunsArgument,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help=f"The page (default for one folder: {NAME} in it).")
    ] = None,
    pdf: Annotated[Path | None, typer.Option(metavar="FILE", help="Also print the page (needs Chromium).")] = None,
    timeline: Annotated[
        bool, typer.Option("--timeline", help="Run EEVDF and each best policy again, and show when each task ran.")
    ] = False,
    perfetto: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the complete timelines as a trace for ui.perfetto.dev (.json)."),
    ] = None,
) -> None:
    """Write a page about runs: results with intervals, the course of the search, costs, and the best policy.

    The page is one HTML file that needs no network. It also shows unfinished runs, as far as they are. Nothing is
    measured, except for timelines: they need two more runs in the virtual machine.
    """
    from schedcp_gym.files import write_whole
    from schedcp_gym.report.found import Found
    from schedcp_gym.report.page import write_report
    from schedcp_gym.report.pdf import find_chromium, print_pdf
    from schedcp_gym.report.timeline import trace
    from schedcp_gym.run.folder import runs_in

    if out is None and len(runs) > 1:
        raise BadInput(f"name the page with --out, like --out {NAME}: there are several folders")
    path = out or runs[0] / NAME
    folders = runs_in(runs)
    options.check_outputs(path, pdf, perfetto)
    if pdf:
        find_chromium()
    found = [Found(run) for run in folders]
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
    """Record the timelines of EEVDF and of the best policy, by the run's folder, for runs that have a best policy."""
    import dataclasses

    from schedcp_gym import ui
    from schedcp_gym.lab import Lab
    from schedcp_gym.report.timeline import record_timeline
    from schedcp_gym.spec import EEVDF, Policy, SchedcpError

    with_best = [run for run in runs if run.best]
    if not with_best:
        raise BadInput("there is no timeline to show: no policy of these runs ran to its end")
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
                except SchedcpError as error:  # the page is useful without this timeline
                    print(f"left out: {ui.harmless(str(error))}", file=sys.stderr)
                else:
                    found.setdefault(run.run.path, []).append(recorded)
    if not found:
        raise SchedcpError("no timeline could be recorded for --timeline and --perfetto")
    return found
