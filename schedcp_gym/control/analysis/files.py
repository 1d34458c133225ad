"""Tier 2: list and read a workload's own files, so that an agent can read the programs that it schedules.

Only files of the workload's folder, and the shared files that it declares, can be read. No path leads outside.
"""

import os
import stat
from pathlib import Path, PurePosixPath
from typing import Any

from schedcp_gym.control.analysis.report import Analysis, Tier
from schedcp_gym.lab.catalogue import unknown
from schedcp_gym.llm import tokens
from schedcp_gym.paths import SHARED, WORKLOADS
from schedcp_gym.spec import BadInput, Workload

#: Most bytes that are read of a file, and most tokens of it in a text.
BYTES_LIMIT = 65_536
TOKENS_LIMIT = 4000
#: Most files in a list's text.
LIST_LIMIT = 200
#: Prefix of the names of shared files.
SHARED_NAME = "shared/"


def list_files(workload: Workload) -> Analysis:
    """List a workload's files with their sizes in bytes. ``data`` is ``{"files": {path: bytes}}``."""
    sizes = {name: path.stat().st_size for name, path in _files(workload).items()}
    lines = [f"{name} {size}" for name, size in sizes.items()]
    more = [f"({len(lines) - LIST_LIMIT} more)"] if len(lines) > LIST_LIMIT else []
    text = "\n".join([f"files of {workload.name}, with their bytes:", *lines[:LIST_LIMIT], *more])
    return _analysis(workload, "files", text, {"files": sizes})


def read_file(workload: Workload, path: str, *, first_line: int = 1, tokens_limit: int = TOKENS_LIMIT) -> Analysis:
    """Read one of a workload's text files.

    ``data`` is ``{"path", "bytes", "lines", "first_line", "last_line", "cut"}``; ``cut`` is true if the file goes on
    after ``last_line``.

    Args:
        workload: The workload.
        path: A name from :func:`list_files`.
        first_line: The first line to return, from 1.
        tokens_limit: Most tokens of the text; at most ``TOKENS_LIMIT``.

    Raises:
        BadInput: It is not one of the workload's text files, or it has no such line.
    """
    content, size = _read(_find(workload, path), path)
    lines = _decoded(content, path, whole=len(content) == size).splitlines()
    if not 1 <= first_line <= max(1, len(lines)):
        raise BadInput(f"{path} has {len(lines)} lines; there is no line {first_line}")
    shown = _fitting(lines[first_line - 1 :], max(1, min(tokens_limit, TOKENS_LIMIT)))
    last = first_line - 1 + len(shown)
    cut = last < len(lines) or len(content) < size or shown[-1:] != lines[last - 1 : last]
    text = "\n".join([*shown, *([f"(cut after line {last}; the file has {size} bytes)"] if cut else [])])
    data = {"path": path, "bytes": size, "lines": len(lines), "first_line": first_line, "last_line": last, "cut": cut}
    return _analysis(workload, f"file {path}", text, data)


def _analysis(workload: Workload, name: str, text: str, data: dict[str, Any]) -> Analysis:
    digests = {"workload": workload.digest}
    return Analysis(Tier.PROFILE, name, workload.name, text, data, tokens.count(text), digests=digests)


def _files(workload: Workload) -> dict[str, Path]:
    """Return a workload's files by name: regular files only, without links and hidden files."""
    folder = WORKLOADS / workload.folder
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in name.parts)
        if not hidden and path.suffix != ".o" and _is_regular(folder, name):
            found[name.as_posix()] = path
    names = [*workload.shared, *([workload.base] if workload.base else [])]
    shared = [name for name in names if Path(name).name == name and _is_regular(SHARED, Path(name))]
    return found | {f"{SHARED_NAME}{name}": SHARED / name for name in shared}


def _is_regular(folder: Path, name: Path) -> bool:
    """Return whether it is a regular file, and neither it nor a folder on the way to it is a link."""
    places = [folder / part for part in (*reversed(name.parents), name)][1:]
    return not any(place.is_symlink() for place in places) and places[-1].is_file()


def _find(workload: Workload, path: str) -> Path:
    """Return the file with this name, if it is one of those that are listed."""
    files = _files(workload)
    if path in files:
        return files[path]
    shown = path[:80].encode("ascii", "backslashreplace").decode()
    if not shown.isprintable() or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise BadInput(
            f"{shown!r} is outside the workload's folder: use a name from the list of {workload.name}'s files"
        )
    folder = WORKLOADS / workload.folder
    if path in {place.relative_to(folder).as_posix() for place in folder.rglob("*") if place.is_symlink()}:
        raise BadInput(f"{shown!r} is a link: only the workload's own files can be read")
    raise unknown(f"file of {workload.name}", shown, files)


def _read(place: Path, path: str) -> tuple[bytes, int]:
    """Return a file's bytes, up to the limit, and its size. A link that has just replaced the file is not followed."""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise BadInput(f"{path} is not a regular file")
            return file.read(BYTES_LIMIT), about.st_size
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}") from None


def _decoded(content: bytes, path: str, *, whole: bool) -> str:
    try:
        # The limit of bytes may cut a character in two.
        text = content.decode() if whole else content.decode(errors="ignore")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise BadInput(f"{path} is not a text file: only text files can be read")
    return text


def _fitting(lines: list[str], limit: int) -> list[str]:
    """Return as many of the first lines as the tokens allow; if not even one fits, the beginning of the first."""
    spent, shown = 0, []
    for line in lines:
        spent += tokens.count(line + "\n")
        if spent > limit:
            break
        shown.append(line)
    return shown or [line[:limit] for line in lines[:1]]
