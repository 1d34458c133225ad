"""Tier 2: a workload's own files, to be read as an operator would read the programs he runs.

Only what lies in the workload's folder, and the shared files it declares (its base too): no path leads out, however
it is written.
"""

import os
import stat
import time
from pathlib import Path, PurePosixPath
from typing import Any

from schedcp_gym.control.analysis.report import Analysis, Tier
from schedcp_gym.lab.catalogue import unknown
from schedcp_gym.llm import tokens
from schedcp_gym.paths import SHARED, WORKLOADS
from schedcp_gym.spec import BadInput, Workload

#: Bytes read of a file, and tokens shown of it.
BYTES_LIMIT = 65_536
TOKENS_LIMIT = 4000
#: Files listed.
LIST_LIMIT = 200
#: How the names of shared files begin.
SHARED_NAME = "shared/"


def list_files(workload: Workload) -> Analysis:
    """Lists a workload's files: path and bytes. ``data`` is ``{"files": {path: bytes}}``."""
    began = time.monotonic()
    sizes = {name: path.stat().st_size for name, path in _files(workload).items()}
    shown = list(sizes.items())[:LIST_LIMIT]
    lines = [f"{name} {size}" for name, size in shown]
    more = [f"({len(sizes) - len(shown)} more)"] if len(sizes) > len(shown) else []
    text = "\n".join([f"files of {workload.name}, with their bytes:", *lines, *more])
    return _analysis(workload, "files", text, {"files": sizes}, began)


def read_file(workload: Workload, path: str, *, first_line: int = 1, tokens_limit: int = TOKENS_LIMIT) -> Analysis:
    """Reads one of a workload's files.

    ``data`` is ``{"path", "bytes", "lines", "first_line", "last_line", "cut"}``; ``cut`` says whether there is more
    after ``last_line``.

    Args:
        workload: Whose.
        path: As :func:`list_files` names it.
        first_line: Where to begin.
        tokens_limit: Most tokens of the text; no more than ``TOKENS_LIMIT``.

    Raises:
        BadInput: It is not one of the workload's files, no text, or has no such line.
    """
    began = time.monotonic()
    content, size = _read(_find(workload, path), path)
    lines = _text_of(content, path, whole=len(content) == size).splitlines()
    if not 1 <= first_line <= max(1, len(lines)):
        raise BadInput(f"{path} has {len(lines)} lines; there is no line {first_line}")
    shown = _fitting(lines[first_line - 1 :], max(1, min(tokens_limit, TOKENS_LIMIT)))
    last = first_line - 1 + len(shown)
    cut = last < len(lines) or len(content) < size or shown[-1:] != lines[last - 1 : last]
    text = "\n".join([*shown, *([f"(cut after line {last}; the file has {size} bytes)"] if cut else [])])
    data = {"path": path, "bytes": size, "lines": len(lines), "first_line": first_line, "last_line": last, "cut": cut}
    return _analysis(workload, f"file {path}", text, data, began)


def _analysis(workload: Workload, name: str, text: str, data: dict[str, Any], began: float) -> Analysis:
    return Analysis(
        tier=Tier.PROFILE,
        name=name,
        workload=workload.name,
        text=text,
        data=data,
        tokens=tokens.count(text),
        host_s=round(time.monotonic() - began, 3),
        digests={"workload": workload.digest},
    )


def _files(workload: Workload) -> dict[str, Path]:
    """A workload's files by name: plain ones only, no links, none that is hidden."""
    folder = WORKLOADS / workload.folder
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in name.parts)
        if not hidden and path.suffix != ".o" and _is_plain(folder, name):
            found[name.as_posix()] = path
    names = [*workload.shared, *([workload.base] if workload.base else [])]
    shared = {f"{SHARED_NAME}{name}": SHARED / name for name in names if Path(name).name == name}
    return found | {name: path for name, path in shared.items() if _is_plain(SHARED, Path(path.name))}


def _links(workload: Workload) -> set[str]:
    folder = WORKLOADS / workload.folder
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink()}


def _is_plain(folder: Path, name: Path) -> bool:
    """Whether it is a plain file, and no part of the way to it a link."""
    places = [folder / part for part in (*reversed(name.parents), name)][1:]
    return not any(place.is_symlink() for place in places) and places[-1].is_file()


def _find(workload: Workload, path: str) -> Path:
    """The file of this name: one of those that are listed, and nothing else."""
    files = _files(workload)
    if path in files:
        return files[path]
    shown = path[:80].encode("ascii", "backslashreplace").decode()
    if not shown.isprintable() or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise BadInput(f"{shown!r} is outside the workload's folder: name a file of {workload.name} as it is listed")
    if path in _links(workload):
        raise BadInput(f"{shown!r} is a link: only the workload's own files can be read")
    raise unknown(f"file of {workload.name}", shown, files)


def _read(place: Path, path: str) -> tuple[bytes, int]:
    """A file's bytes, up to the limit, and its size; a link that has just been put there is not followed."""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise BadInput(f"{path} is no plain file")
            return file.read(BYTES_LIMIT), about.st_size
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}") from None


def _text_of(content: bytes, path: str, *, whole: bool) -> str:
    try:
        # What is cut may be cut within a letter.
        text = content.decode() if whole else content.decode(errors="ignore")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise BadInput(f"{path} is no text: only text files can be read")
    return text


def _fitting(lines: list[str], limit: int) -> list[str]:
    """As many of the first lines as the tokens allow; of a line that is too long by itself, its beginning."""
    spent, shown = 0, []
    for line in lines:
        spent += tokens.count(line + "\n")
        if spent > limit:
            break
        shown.append(line)
    return shown or [line[:limit] for line in lines[:1]]
