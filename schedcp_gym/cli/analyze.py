"""``schedcp-gym analyze``: what the workload analysis engine sees of a workload, tier by tier."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schedcp_gym.cli.options import (
    ClockOption,
    CpusOption,
    JsonOption,
    KernelOption,
    ScaleOption,
    SeedOption,
    SetOption,
    pairs,
    word_of,
)
from schedcp_gym.control.analysis.report import Tier
from schedcp_gym.spec import EEVDF, BadInput, Clock, MachineSpec, Policy, Scale

if TYPE_CHECKING:
    from schedcp_gym.control.analysis import Analysis
    from schedcp_gym.control.analysis.engine import Analyzer
    from schedcp_gym.lab import Lab

EPILOG = (
    "Examples: [bold]schedcp-gym analyze schbench[/bold] · "
    "[bold]schedcp-gym analyze schbench --profile runq_latency --policy fifo[/bold] · "
    "[bold]schedcp-gym analyze schbench --tier feedback --policy vtime --last fifo[/bold] · "
    "[bold]schedcp-gym analyze longtail --file workload.yaml[/bold] · "
    "[bold]schedcp-gym analyze schbench --probe mine.c --json[/bold]"
)
#: A probe's source is short; what is longer is not read.
PROBE_BYTES = 64 * 1024


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(analyze)


def analyze(
    workload: Annotated[str, typer.Argument(help="A workload's name.")],
    tier: Annotated[
        Tier | None,
        typer.Option(
            parser=word_of(Tier), metavar="|".join(Tier), help="How deep to look; summary if nothing is asked."
        ),
    ] = None,
    profiles: Annotated[
        list[str] | None, typer.Option("--profile", metavar="NAME", help="This profile (tier profile); repeat.")
    ] = None,
    probe: Annotated[Path | None, typer.Option(metavar="FILE.c", help="A BCC probe of your own.")] = None,
    file: Annotated[str | None, typer.Option(metavar="PATH", help="Read a file of the workload's folder.")] = None,
    files: Annotated[bool, typer.Option("--files", help="List the workload's files.")] = False,
    policy: Annotated[str, typer.Option(help="What schedules it: a policy's name, eevdf, or a .bpf.c file.")] = EEVDF,
    tunables: SetOption = None,
    last: Annotated[str | None, typer.Option(metavar="POLICY", help="Feedback: the policy before this one.")] = None,
    objective: Annotated[str | None, typer.Option(metavar="NAME", help="Feedback: by this objective.")] = None,
    traced: Annotated[bool, typer.Option(help="Feedback: also trace both runs, for who waited.")] = True,
    scale: ScaleOption = Scale.SMOKE,
    seed: SeedOption = 0,
    cpus: CpusOption = 2,
    clock: ClockOption = Clock.VIRTUAL,
    kernel: KernelOption = "debian",
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Look again even if the answer is known.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Look at a workload: summary (one traced run), profiles, its files, or what a policy changed; with the costs."""
    from schedcp_gym import ui
    from schedcp_gym.lab import Lab, catalogue

    question = _question(tier, profiles, probe, file, files=files)
    chosen = catalogue.load_policy(policy, pairs(tunables or []))
    before = catalogue.load_policy(last) if last else None
    catalogue.find_objective(catalogue.load_workload(workload), objective)
    source = _read_probe(probe) if probe else ""
    with ui.build_progress() as report:
        lab = Lab(cache=not no_cache, report=report)
        machine = MachineSpec(cpus=cpus, clock=clock, kernel=kernel)
        if question not in ("file", "files"):
            lab.machine(machine)
    analyzer = _analyzer(lab, machine, scale, seed)
    answer = _ask(
        analyzer,
        question,
        workload,
        chosen,
        profiles=tuple(profiles or ()),
        source=source,
        file=file or "",
        last=before,
        objective=objective,
        traced=traced,
    )
    if as_json:
        from pydantic import TypeAdapter

        from schedcp_gym.control.analysis import Analysis

        print(json.dumps(TypeAdapter(Analysis).dump_python(answer, mode="json"), indent=1))
    else:
        from schedcp_gym.cli.analysis_table import print_analysis

        print_analysis(answer)


def _question(
    tier: Tier | None, profiles: list[str] | None, probe: Path | None, file: str | None, *, files: bool = False
) -> str:
    """What is asked: a tier, ``probe``, ``file`` or ``files``; options of two questions at once are refused."""
    asked = [
        ("--profile", bool(profiles)),
        ("--probe", probe is not None),
        ("--file", file is not None),
        ("--files", files),
    ]
    options = [name for name, given in asked if given]
    if len(options) > 1:
        raise BadInput(f"one question at a time: {' or '.join(options)}")
    if options and tier not in (None, Tier.PROFILE):
        raise BadInput(f"{options[0]} is of the tier profile, not {tier}")
    if options and options != ["--profile"]:
        return options[0].removeprefix("--")
    return (Tier.PROFILE if options else tier or Tier.SUMMARY).value


def _read_probe(path: Path) -> str:
    try:
        if path.stat().st_size > PROBE_BYTES:
            raise BadInput(f"{path} is larger than {PROBE_BYTES} bytes")
        return path.read_text()
    except UnicodeDecodeError:
        raise BadInput(f"{path}: not a text file") from None
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}") from None


def _analyzer(lab: "Lab", machine: MachineSpec, scale: Scale, seed: int) -> "Analyzer":
    from schedcp_gym.control.analysis.engine import Analyzer

    return Analyzer(lab, machine, scale, seed)


def _ask(
    analyzer: "Analyzer",
    question: str,
    workload: str,
    policy: Policy,
    *,
    profiles: tuple[str, ...],
    source: str,
    file: str,
    last: Policy | None,
    objective: str | None,
    traced: bool,
) -> "Analysis":
    """All that is asked of the engine, in one place."""
    if question == Tier.SUMMARY:
        return analyzer.summary(workload, policy)
    if question == Tier.FEEDBACK:
        from schedcp_gym.control.analysis.deployed import feedback

        return feedback(analyzer, workload, policy, last, objective=objective, traced=traced)
    if question == Tier.PROFILE:
        from schedcp_gym.control.analysis.profiles import profile

        return analyzer.ask(profile, workload, policy, names=profiles)
    if question == "probe":
        from schedcp_gym.control.analysis.custom import probe

        return analyzer.ask(probe, workload, policy, source=source)
    from schedcp_gym.control.analysis.files import list_files, read_file
    from schedcp_gym.lab.catalogue import load_workload

    declared = load_workload(workload)
    return list_files(declared) if question == "files" else read_file(declared, file)
