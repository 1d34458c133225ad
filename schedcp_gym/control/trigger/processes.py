"""Which processes a cgroup has: what is needed to tell what runs there."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

#: Processes looked at, and bytes of a command line: a container can have any number, of any length.
PROCESSES = 256
COMMAND_BYTES = 4096


@dataclass(frozen=True)
class Process:
    """A process.

    Attributes:
        pid: Its id, as seen from here.
        name: Its name in the kernel, up to 15 characters.
        command: Its command line, as words; empty for one that is ending.
    """

    pid: int
    name: str
    command: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What it may be called: the kernel cuts names off, and a script's or server's first word may be another."""
        first = os.path.basename(self.command[0]) if self.command else ""  # noqa: PTH119 (no path of ours)
        return (self.name, first) if first else (self.name,)


def processes_of(root: Path, cgroup: str, skip: Callable[[str], bool]) -> list[Process]:
    """The processes in a cgroup and below it, by id: the first :data:`PROCESSES` found.

    Args:
        root: The cgroup tree's root.
        cgroup: A path below it.
        skip: Cgroups below that don't belong to it (another container).
    """
    found: dict[int, Process] = {}
    for folder in _below(root, cgroup, skip):
        for pid in _pids(root / folder):
            process = None if len(found) >= PROCESSES else _read(pid)
            if process:
                found[pid] = process
        if len(found) >= PROCESSES:
            break
    return sorted(found.values(), key=lambda process: process.pid)


def _below(root: Path, cgroup: str, skip: Callable[[str], bool]) -> Iterator[str]:
    waiting = [cgroup]
    while waiting:
        cgroup = waiting.pop()
        yield cgroup
        try:
            with os.scandir(root / cgroup) as entries:
                names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        except OSError:  # gone
            continue
        waiting += (path for path in (f"{cgroup}/{name}" for name in reversed(names)) if not skip(path))


def _pids(folder: Path) -> list[int]:
    try:
        words = (folder / "cgroup.procs").read_bytes().split()
    except OSError:  # gone; or a threaded cgroup, whose processes are told one above
        return []
    return [int(word) for word in words if word != b"0"]  # 0: in a namespace that we don't see


def _read(pid: int) -> Process | None:
    try:
        name = Path(f"/proc/{pid}/comm").read_bytes().rstrip(b"\n")
        with Path(f"/proc/{pid}/cmdline").open("rb") as file:
            command = file.read(COMMAND_BYTES)
    except OSError:  # ended meanwhile
        return None
    words = [word for word in command.rstrip(b"\0").split(b"\0") if word]
    return Process(pid, _text(name), tuple(map(_text, words)))


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")
