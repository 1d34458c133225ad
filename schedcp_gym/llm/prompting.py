"""Prompts are files: text with ``$name`` in the place of a value."""

import functools
import string
from pathlib import Path

_HERE = Path(__file__).parent / "prompts"


def prompt(name: str, folder: Path = _HERE, /, **values: str) -> str:
    """Return the text of ``<folder>/<name>.md`` with values filled in.

    Raises:
        KeyError: A value is missing.
    """
    return _template(folder / f"{name}.md").substitute(values)


@functools.cache
def _template(path: Path) -> string.Template:
    return string.Template(path.read_text().strip())
