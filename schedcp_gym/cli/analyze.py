"""``schedcp-gym analyze``: what the workload analysis engine sees of a workload, tier by tier."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from schedcp_gym.cli.options import (
    ClockOption,
    CpusOption,
    JsonOption,
    MachineOption,
    OtherKernelOption,
    ScaleOption,
    SeedOption,
    SetOption,
    pairs,
    word_of,
)
from schedcp_gym.control.analysis.report import Tier
from schedcp_gym.spec import EEVDF, BadInput, Scale

EPILOG = (
    "Examples: [bold]schedcp-gym analyze schbench[/bold] · "
    "[bold]schedcp-gym analyze phases --changes[/bold] · "
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
    changes: Annotated[
        bool, typer.Option("--changes", help="Where the run changes, and whether to analyse anew (tier summary).")
    ] = False,
    profiles: Annotated[
        list[str] | None,
        typer.Option("--profile", metavar="NAME", help="This profile (tier profile; `list profiles`); repeat."),
    ] = None,
    probe: Annotated[Path | None, typer.Option(metavar="FILE.c", help="A BCC probe of your own.")] = None,
    file: Annotated[str | None, typer.Option(metavar="PATH", help="Read a file of the workload's folder.")] = None,
    first_line: Annotated[int, typer.Option(min=1, help="Of --file: where to begin.")] = 1,
    files: Annotated[bool, typer.Option("--files", help="List the workload's files.")] = False,
    policy: Annotated[str, typer.Option(help="What schedules it: a policy's name, eevdf, or a .bpf.c file.")] = EEVDF,
    tunables: SetOption = None,
    last: Annotated[str | None, typer.Option(metavar="POLICY", help="Feedback: the policy before this one.")] = None,
    last_tunables: Annotated[
        list[str] | None, typer.Option("--set-last", metavar="K=V", help="Feedback: a tunable of --last; repeat.")
    ] = None,
    objective: Annotated[str | None, typer.Option(metavar="NAME", help="Feedback: by this objective.")] = None,
    traced: Annotated[bool, typer.Option(help="Feedback: also trace both runs, for who waited.")] = True,
    scale: ScaleOption = Scale.SMOKE,
    seed: SeedOption = 0,
    machine: MachineOption = "virtual",
    cpus: CpusOption = None,
    clock: ClockOption = None,
    kernel: OtherKernelOption = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Look again even if the answer is known.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Look at a workload: summary (one traced run), profiles, its files, or what a policy changed; with the costs.

    On the virtual clock an answer is kept: asked again it costs nothing.
    """
    from schedcp_gym import ui
    from schedcp_gym.control.analysis import Analysis
    from schedcp_gym.control.analysis.engine import Analyzer
    from schedcp_gym.control.analysis.program import choose
    from schedcp_gym.lab import Lab, catalogue

    asked = {"--changes": changes, "--profile": profiles, "--probe": probe, "--file": file, "--files": files}
    question = _question(tier, [name for name, given in asked.items() if given not in (None, False, [])])
    for_feedback = {"--last": last, "--set-last": last_tunables, "--objective": objective, "--no-traced": not traced}
    _refuse_idle(question, Tier.FEEDBACK, for_feedback)
    _refuse_idle(question, "file", {"--first-line": first_line > 1})
    if question == Tier.FEEDBACK and policy == EEVDF:
        raise BadInput("feedback is on a policy: name it with --policy")
    if last_tunables and not last:
        raise BadInput("--set-last sets tunables of the policy before: name it with --last")
    chosen = catalogue.load_policy(policy, pairs(tunables or []))
    before = catalogue.load_policy(last, pairs(last_tunables or [], "--set-last")) if last else None
    declared = catalogue.load_workload(workload)
    catalogue.find_objective(declared, objective)
    choose(tuple(profiles or ()))
    source = _read_probe(probe) if probe else ""
    with ui.build_progress() as report:
        lab = Lab(cache=not no_cache, report=report)
        spec = catalogue.load_machine(machine, cpus=cpus, clock=clock, kernel=kernel)
        if question not in ("file", "files"):
            lab.machine(spec)
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
        from pydantic import TypeAdapter

        print(json.dumps(TypeAdapter(Analysis).dump_python(answer, mode="json"), indent=1))
    else:
        from schedcp_gym.cli.analysis_table import print_analysis

        print_analysis(answer)


def _question(tier: Tier | None, options: list[str]) -> str:
    """What is asked: a tier, or one of the options that are a question; two questions at once are refused."""
    if len(options) > 1:
        raise BadInput(f"one question at a time: {' or '.join(options)}")
    if not options:
        return (tier or Tier.SUMMARY).value
    own = Tier.SUMMARY if options == ["--changes"] else Tier.PROFILE
    if tier not in (None, own):
        raise BadInput(f"{options[0]} is of the tier {own}, not {tier}")
    return options[0].removeprefix("--")


def _refuse_idle(question: str, of: str, options: Mapping[str, object]) -> None:
    """An option that would be passed over is a mistake."""
    given = [name for name, value in options.items() if value]
    if given and question != of:
        how = f"--tier {of}" if of in list(Tier) else f"--{of}"
        raise BadInput(f"{given[0]} says nothing about this question: it goes with {how}")


def _read_probe(path: Path) -> str:
    from schedcp_gym.control.analysis import custom

    try:
        if not path.is_file():  # a device, or a pipe, may never end
            raise BadInput(f"{path} {'is no plain file' if path.exists() else 'does not exist'}")
        with path.open("rb") as file:
            content = file.read(PROBE_BYTES + 1)
        if len(content) > PROBE_BYTES:
            raise BadInput(f"{path} is larger than {PROBE_BYTES} bytes")
        source = content.decode()
    except UnicodeDecodeError:
        raise BadInput(f"{path}: not a text file") from None
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}") from None
    custom.check(source)
    return source
