"""Files that stay valid when the process is killed: appended JSON lines, and texts that are replaced as a whole."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schedcp_gym.spec import SchedcpError


def append_line(path: Path, entry: Mapping[str, Any]) -> None:
    """Append one line to a file of JSON lines, and wait until it is on disk."""
    text = json.dumps(entry, allow_nan=False) + "\n"
    is_new = not path.exists()
    with path.open("a") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        _sync_folder(path.parent)


def read_lines(path: Path, *, repair: bool = False) -> list[dict[str, Any]]:
    """Return all lines of a file of JSON lines, without an incomplete last line. A missing file has no lines.

    Args:
        path: The file.
        repair: Also remove an incomplete last line from the file, so that lines can be appended.

    Raises:
        SchedcpError: A complete line is damaged.
    """
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = whole_lines(content)
    if repair and whole != content:
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return parse_lines(whole, str(path))


def whole_lines(content: bytes) -> bytes:
    """Return the complete lines of a file's content. The last one is incomplete if the process was killed."""
    return content[: content.rfind(b"\n") + 1]


def parse_lines(content: bytes, where: str) -> list[dict[str, Any]]:
    """Return the lines of a JSON-lines file, without an incomplete last line.

    Args:
        content: The file's content: JSON objects, each with a ``kind``.
        where: Name of the file in error messages.

    Raises:
        SchedcpError: A line is damaged.
    """
    lines = whole_lines(content).split(b"\n")[:-1]
    return [_entry(where, number, line) for number, line in enumerate(lines, 1)]


def write_whole(path: Path, text: str) -> None:
    """Replace a file in one step: readers see the old text or the new text, even if this process is killed."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text)
    part.rename(path)


def strict_json(text: bytes | str) -> Any:
    """Return the value of a JSON text, without Python's extensions: no NaN, no infinity, no duplicate key.

    Raises:
        ValueError: The text is not such JSON.
    """
    return json.loads(text, parse_constant=_finite, parse_float=_finite, object_pairs_hook=once)


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return key-value pairs as a dictionary.

    Raises:
        ValueError: A key occurs twice.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _value in pairs]
        raise ValueError(f"duplicate key {next(name for name in names if names.count(name) > 1)!r}")
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
        raise SchedcpError(f"{where}: line {number} is damaged; use another run.dir for a new run")
    return entry


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
