"""The command ``schedcp-gym analyze``: look at a workload with the analysis engine."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from schedcp_gym.cli import options
from schedcp_gym.control.analysis.report import Tier
from schedcp_gym.spec import EEVDF, BadInput, Scale

#: Limit for the source of a probe.
PROBE_BYTES = 64 * 1024


@options.command(
    "schedcp-gym analyze schbench",
    "schedcp-gym analyze phases --changes",
    "schedcp-gym analyze schbench --profile runq_latency --policy fifo",
    "schedcp-gym analyze schbench --tier feedback --policy vtime --last fifo",
    "schedcp-gym analyze longtail --file workload.yaml",
    "schedcp-gym analyze schbench --probe mine.c --json",
)
def analyze(
    workload: Annotated[str, typer.Argument(help="A workload's name.")],
    tier: Annotated[
        Tier | None,
        typer.Option(parser=options.word_of(Tier), metavar="|".join(Tier), help="Kind of analysis (default: summary)."),
    ] = None,
    changes: Annotated[
        bool, typer.Option("--changes", help="Show when the behaviour changes, and if a new analysis is needed.")
    ] = False,
    profiles: Annotated[
        list[str] | None,
        typer.Option("--profile", metavar="NAME", help="Run this profile (see `list profiles`); repeat."),
    ] = None,
    probe: Annotated[Path | None, typer.Option(metavar="FILE.c", help="Run a BCC probe of your own.")] = None,
    file: Annotated[str | None, typer.Option(metavar="PATH", help="Print a file of the workload's folder.")] = None,
    first_line: Annotated[int, typer.Option(min=1, help="With --file: the first line to print.")] = 1,
    files: Annotated[bool, typer.Option("--files", help="List the workload's files.")] = False,
    policy: Annotated[
        str, typer.Option(help="The policy that schedules the workload: a name, eevdf, or a .bpf.c file.")
    ] = EEVDF,
    tunables: options.SetOption = None,
    last: Annotated[
        str | None, typer.Option(metavar="POLICY", help="Feedback: also compare with this policy, tried before.")
    ] = None,
    last_tunables: Annotated[
        list[str] | None, typer.Option("--set-last", metavar="K=V", help="Feedback: set a tunable of --last; repeat.")
    ] = None,
    objective: Annotated[str | None, typer.Option(metavar="NAME", help="Feedback: score by this objective.")] = None,
    traced: Annotated[bool, typer.Option(help="Feedback: also trace both runs, to see which tasks waited.")] = True,
    scale: options.ScaleOption = Scale.SMOKE,
    seed: options.SeedOption = 0,
    machine: options.MachineOption = "virtual",
    cpus: options.CpusOption = None,
    clock: options.ClockOption = None,
    kernel: options.OtherKernelOption = None,
    no_cache: options.NoCacheOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Analyse a workload: a summary of one traced run, profiles, its files, or the effects of a policy. Prints costs.

    On the virtual clock answers are stored: asking again costs nothing.
    """
    from schedcp_gym.control.analysis import Analysis
    from schedcp_gym.control.analysis.engine import Analyzer
    from schedcp_gym.control.analysis.program import choose
    from schedcp_gym.lab import Lab, catalogue

    asked = {"--changes": changes, "--profile": profiles, "--probe": probe, "--file": file, "--files": files}
    question = _question(tier, [name for name, given in asked.items() if given not in (None, False, [])])
    for_feedback = {"--last": last, "--set-last": last_tunables, "--objective": objective, "--no-traced": not traced}
    _refuse_unused(question, Tier.FEEDBACK, for_feedback)
    _refuse_unused(question, "file", {"--first-line": first_line > 1})
    if question == Tier.FEEDBACK and policy == EEVDF:
        raise BadInput("feedback needs a policy: name it with --policy")
    if last_tunables and not last:
        raise BadInput("--set-last needs a policy: name it with --last")
    chosen = catalogue.load_policy(policy, options.pairs(tunables))
    before = catalogue.load_policy(last, options.pairs(last_tunables, "--set-last")) if last else None
    declared = catalogue.load_workload(workload)
    catalogue.find_objective(declared, objective)
    choose(tuple(profiles or ()))
    source = _read_probe(probe) if probe else ""
    spec = catalogue.load_machine(machine, cpus=cpus, clock=clock, kernel=kernel)
    needs_machine = question not in ("file", "files")
    cache = not no_cache
    lab = options.open_lab(spec, snapshot=False, cache=cache) if needs_machine else Lab(cache=cache)
    analyzer = Analyzer(lab, spec, scale, seed)
    ask: dict[str, Callable[[], Analysis]] = {
        "summary": lambda: analyzer.summary(declared, chosen),
        "changes": lambda: analyzer.changes(declared, chosen),
        "profile": lambda: analyzer.profile(declared, profiles or (), chosen),
        "probe": lambda: analyzer.probe(declared, source, chosen),
        "files": lambda: analyzer.files(declared),
        "file": lambda: analyzer.file(declared, file or "", first_line),
        "feedback": lambda: analyzer.feedback(declared, chosen, before, objective=objective, traced=traced),
    }
    answer = ask[question]()
    if as_json:
        from schedcp_gym.printing import print_json

        print_json(answer)
    else:
        from schedcp_gym.cli.analysis_table import print_analysis

        print_analysis(answer)


def _question(tier: Tier | None, given: list[str]) -> str:
    """Return the one question that the options ask: a tier, or the name of another option."""
    if len(given) > 1:
        raise BadInput(f"use only one of {' and '.join(given)}")
    if not given:
        return (tier or Tier.SUMMARY).value
    own = Tier.SUMMARY if given == ["--changes"] else Tier.PROFILE
    if tier not in (None, own):
        raise BadInput(f"{given[0]} belongs to --tier {own}, not {tier}")
    return given[0].removeprefix("--")


def _refuse_unused(question: str, owner: str, given: Mapping[str, object]) -> None:
    """Raise an error if an option was given that this question would ignore."""
    unused = [name for name, value in given.items() if value]
    if unused and question != owner:
        raise BadInput(
            f"{unused[0]} has no effect here: use it with {'--tier ' if owner in list(Tier) else '--'}{owner}"
        )


def _read_probe(path: Path) -> str:
    from schedcp_gym.control.analysis import custom

    source = options.read_text(path, PROBE_BYTES)
    custom.check(source)
    return source
