"""Options and helpers that several commands share."""

import enum
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from schedcp_gym.spec import BadInput, Clock, Outcome, Scale

if TYPE_CHECKING:
    from schedcp_gym.lab import Lab
    from schedcp_gym.spec import MachineSpec

NOT_OK = 1
MOST_SEED = 2**31 - 1
_Command = TypeVar("_Command", bound=Callable[..., Any])

app = typer.Typer(
    help="Find policies that beat the Linux scheduler, measured exactly on a real kernel.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def command(*examples: str, name: str | None = None, group: typer.Typer = app) -> Callable[[_Command], _Command]:
    """Return a decorator that adds a function as a command.

    Args:
        examples: Command lines for the end of its ``--help``; text after `` # `` is a remark.
        name: Name of the command; by default the function's.
        group: The group of commands that it belongs to.

    Example:
        >>> @command("schedcp-gym bench eevdf", "schedcp-gym bench ./mine.bpf.c # a policy of your own")
        ... def bench(policies: list[str]) -> None: ...  # doctest: +SKIP
    """
    shown = [
        f"[bold]{line}[/bold]{note and f' ({note})'}" for line, _, note in (one.partition(" # ") for one in examples)
    ]
    epilog = "\n\n".join(["Examples:", *shown])  # a blank line begins a new line of the help
    return group.command(name, epilog=epilog)


def group_of(name: str, text: str) -> typer.Typer:
    """Return a new group of commands, like ``schedcp-gym store``."""
    group = typer.Typer(help=text, no_args_is_help=True, rich_markup_mode="rich")
    app.add_typer(group, name=name)
    return group


def word_of(kind: type[enum.StrEnum]) -> Any:
    """Return an option's parser for the words of an enumeration. Its error message suggests similar words."""

    def read(word: str) -> enum.StrEnum:
        from schedcp_gym.lab.catalogue import unknown

        try:
            return kind(word)
        except ValueError:
            raise unknown(kind.__name__.lower(), word, list(kind)) from None

    return read


KernelOption = Annotated[
    str, typer.Option(help="debian, debian:RELEASE, or a folder with linux-image-*.deb and linux-headers-*.deb.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", metavar="K=V", help="Set a tunable; repeat.")]
SeedOption = Annotated[int, typer.Option(min=0, max=MOST_SEED, help="The workload's seed.")]
SeedsOption = Annotated[
    list[int] | None, typer.Option("--seed", min=0, max=MOST_SEED, help="Seed of the workloads (default 0); repeat.")
]
MachineOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="virtual, llc, smt, numa, large, real; a shape such as 2x1x4x2 (NUMA nodes x LLCs x cores x threads); or "
        "a .yaml file.",
    ),
]
CpusOption = Annotated[
    int | None, typer.Option(min=1, max=16, help="Number of CPUs, for a machine without a topology.")
]
OtherKernelOption = Annotated[
    str | None, typer.Option(help="Use another kernel than the machine's own; see `image build --kernel`.")
]
RayOption = Annotated[
    str | None,
    typer.Option("--ray", metavar="ADDRESS", help="Measure on a Ray cluster: host:port, auto, or local (a new one)."),
]
ScaleOption = Annotated[
    Scale, typer.Option(parser=word_of(Scale), metavar="|".join(Scale), help="How long the workload runs.")
]
ClockOption = Annotated[
    Clock | None,
    typer.Option(parser=word_of(Clock), metavar="|".join(Clock), help="virtual: exact; real: host time, noisy."),
]
OutcomeOption = Annotated[
    Outcome | None,
    typer.Option(parser=word_of(Outcome), metavar="|".join(Outcome), help="Only measurements with this outcome."),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(min=1, max=64, help="Trials that run at once (default: as many as the host has CPUs; real clock: 1)."),
]
NoCacheOption = Annotated[bool, typer.Option("--no-cache", help="Measure again even if the result is stored.")]
AllOption = Annotated[bool, typer.Option("--all", help="Run all of them again.")]
RunsArgument = Annotated[
    list[Path], typer.Argument(metavar="RUN", help="Folders of runs, or folders that contain runs, like a suite's.")
]
PricesOption = Annotated[
    str | None,
    typer.Option(
        metavar="IN,OUT",
        help="Calculate dollars with these prices: for a million tokens of prompts, and of answers.",
    ),
]
CsvOption = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the results as CSV, a row for each.")]
PlotOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Draw the results: a page (.html) or an image (.png, .svg, .pdf).")
]


def pairs(settings: list[str] | None, option: str = "--set") -> dict[str, object]:
    """Return the values of a repeated option ``NAME=VALUE``, by name.

    Raises:
        BadInput: A setting has another form.
    """
    values: dict[str, object] = {}
    for setting in settings or ():
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise BadInput(f"{option} takes NAME=VALUE, not {setting!r}")
        values[name] = value
    return values


def check_outputs(*files: Path | None) -> None:
    """Check that output files can be written, before anything is measured.

    Raises:
        BadInput: A file's folder does not exist, or the file cannot be written.
    """
    from schedcp_gym.bench.plot import check_file

    for file in filter(None, files):
        check_file(file)


def read_text(path: Path, limit: int) -> str:
    """Return the text of a file that a user named.

    Args:
        path: The file.
        limit: The most bytes that it may have.

    Raises:
        BadInput: It is not a readable text file of that size.
    """
    try:
        if not path.is_file():  # reading a device or a pipe may never end
            raise BadInput(f"{path} {'is not a regular file' if path.exists() else 'does not exist'}")
        with path.open("rb") as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise BadInput(f"{path} is larger than {limit} bytes")
        return content.decode()
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not a text file") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None


def open_lab(spec: "MachineSpec", *, snapshot: bool = True, ray: str | None = None, **options: Any) -> "Lab":
    """Return a lab, and build the image and snapshot of a machine first, so that no trial's time includes it.

    Args:
        spec: The machine.
        snapshot: False: build the image only.
        ray: Address of a Ray cluster to measure on.
        options: Further arguments of :class:`schedcp_gym.lab.Lab`.
    """
    from schedcp_gym import ui
    from schedcp_gym.lab import Lab
    from schedcp_gym.lab.cluster import Ray
    from schedcp_gym.lab.cluster.executor import RayExecutor

    with ui.build_progress() as build:
        executor = RayExecutor(Ray(address=ray)) if ray else None
        lab = Lab(executor=executor, report=build, **options)
        machine = lab.machine(spec)
        if snapshot and spec.clock is Clock.VIRTUAL:
            machine.ensure_snapshot()
    return lab
