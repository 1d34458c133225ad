"""Options that several commands share."""

import enum
from collections.abc import Callable
from typing import Annotated

import typer

from schedcp_gym.spec import BadInput, Clock, Scale

KernelOption = Annotated[
    str, typer.Option(help="debian, debian:RELEASE, or a folder with linux-image-*.deb and linux-headers-*.deb.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", metavar="K=V", help="Set a tunable; repeat.")]
SeedOption = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="The workload's seed.")]
MachineOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="virtual, llc, smt, numa, large, real; a shape such as 2x1x4x2 (NUMA nodes x LLCs x cores x threads); or "
        "a .yaml file.",
    ),
]
CpusOption = Annotated[
    int | None, typer.Option(min=1, max=16, help="CPUs of a machine without a topology, instead of its own number.")
]
OtherKernelOption = Annotated[
    str | None, typer.Option(help="A kernel instead of the machine's own: as `image build --kernel` takes it.")
]
RayOption = Annotated[
    str | None,
    typer.Option("--ray", metavar="ADDRESS", help="Measure on a Ray cluster: host:port, auto, or local (a new one)."),
]
NOT_OK = 1


def word_of(kind: type[enum.StrEnum]) -> Callable[[str], enum.StrEnum]:
    """A reader of one of an enumeration's words; a wrong one is told in one line, with near ones."""

    def read(word: str) -> enum.StrEnum:
        from schedcp_gym.lab.catalogue import unknown

        try:
            return kind(word)
        except ValueError:
            raise unknown(kind.__name__.lower(), word, list(kind)) from None

    return read


ScaleOption = Annotated[
    Scale, typer.Option(parser=word_of(Scale), metavar="|".join(Scale), help="How long the workload runs.")
]
ClockOption = Annotated[
    Clock | None,
    typer.Option(parser=word_of(Clock), metavar="|".join(Clock), help="virtual: exact; real: host time, noisy."),
]


def pairs(settings: list[str], option: str = "--set") -> dict[str, object]:
    """The values of an option ``NAME=VALUE`` that may be repeated, by name.

    Raises:
        BadInput: Not of that form.
    """
    values: dict[str, object] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise BadInput(f"{option} takes NAME=VALUE, not {setting!r}")
        values[name] = value
    return values
