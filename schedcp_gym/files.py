"""Files that survive a killed process: JSON lines that are appended, texts that are written whole, and strict JSON."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schedcp_gym.spec import SchedcpError


def append_line(path: Path, entry: Mapping[str, Any]) -> None:
    """Append one entry; it is on disk when this returns."""
    text = json.dumps(entry, allow_nan=False) + "\n"
    is_new = not path.exists()
    with path.open("a") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        _sync_folder(path.parent)


def read_lines(path: Path, *, mend: bool = False) -> list[dict[str, Any]]:
    """Return all entries of a file; none when there is no such file. A last line that was cut off is left out.

    Args:
        path: The file.
        mend: Remove such a line from the file, so that it can be appended to.

    Raises:
        SchedcpError: Another line is damaged.
    """
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = whole_lines(content)
    if mend and whole != content:
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return parse_lines(whole, str(path))


def whole_lines(content: bytes) -> bytes:
    """Return a file's content without a last line that was cut off."""
    return content[: content.rfind(b"\n") + 1]


def parse_lines(content: bytes, where: str) -> list[dict[str, Any]]:
    """Return the entries of a file's content; a last line that was cut off is left out.

    Args:
        content: JSON lines, each an object with a ``kind``.
        where: How an error names the file.

    Raises:
        SchedcpError: A line is damaged.
    """
    lines = whole_lines(content).split(b"\n")[:-1]
    return [_entry(where, number, line) for number, line in enumerate(lines, 1)]


def write_whole(path: Path, text: str) -> None:
    """Write a file so that readers see all of it or the one before, also when this process dies."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text)
    part.rename(path)


def strict_json(text: bytes | str) -> Any:
    """Return a value, out of JSON as the standard has it: no NaN, nothing infinite, no key twice.

    Raises:
        ValueError: It is otherwise.
    """
    return json.loads(text, parse_constant=_finite, parse_float=_finite, object_pairs_hook=once)


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return pairs as an object.

    Raises:
        ValueError: A key is there twice.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _value in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return found


def _finite(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise ValueError(f"{word} is not a finite number")
    return number


def _entry(where: str, number: int, line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if not isinstance(entry, dict) or "kind" not in entry:
        raise SchedcpError(f"{where}: line {number} is damaged; start anew with another run.dir")
    return entry


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
