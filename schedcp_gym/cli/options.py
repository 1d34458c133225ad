"""Options that several commands share."""

from typing import Annotated

import typer

from schedcp_gym.spec import BadInput

KernelOption = Annotated[
    str, typer.Option(help="debian, debian:RELEASE, or a folder with linux-image-*.deb and linux-headers-*.deb.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", metavar="K=V", help="Set a tunable; repeat.")]
NOT_OK = 1


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
