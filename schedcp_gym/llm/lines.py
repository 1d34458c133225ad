"""Append-only files of JSON lines, each on disk before the next thing happens."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schedcp_gym.spec import SchedcpError


def append_line(path: Path, entry: Mapping[str, Any]) -> None:
    """Appends one entry; it is on disk when this returns."""
    text = json.dumps(entry, allow_nan=False) + "\n"
    is_new = not path.exists()
    with path.open("a") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        _sync_folder(path.parent)


def read_lines(path: Path, *, mend: bool = False) -> list[dict[str, Any]]:
    """All entries; none when there is no such file. A last line that was cut off is left out.

    Args:
        path: The file.
        mend: Remove such a line from the file, so that it can be appended to.

    Raises:
        SchedcpError: Another line is damaged.
    """
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if mend and whole != content:
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return [_entry(path, number, line) for number, line in enumerate(whole.splitlines(), 1)]


def _entry(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if not isinstance(entry, dict) or "kind" not in entry:
        raise SchedcpError(f"{path}: line {number} is damaged; start anew with another run.dir")
    return entry


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
