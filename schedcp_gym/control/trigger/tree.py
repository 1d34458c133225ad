"""A cgroup v2 tree, followed by inotify: which cgroups have processes, as it changes.

Only the standard library and asyncinotify are used here and in :mod:`.processes`, so that both also run where nothing
else is installed (in the guest, in a bare container).

An event is a hint to look, never believed: what counts is what the file system says then. So it does not matter
whether a cgroup was filled, emptied or replaced before its watch was set, or whether the kernel dropped events.
"""

import contextlib
import enum
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from asyncinotify import Event, Inotify, Mask, Watch

#: Events read from the kernel at once.
BATCH = 64
EVENTS = "cgroup.events"
#: Levels below the root that are followed: containers within containers have fewer, and a user may make any number.
DEPTH = 32
_FOLDER = Mask.CREATE | Mask.DELETE | Mask.MOVE | Mask.ONLYDIR


class Kind(enum.StrEnum):
    """What happened to a cgroup."""

    POPULATED = "populated"  # it, or one below it, has a process now
    EMPTIED = "emptied"  # the last process is gone
    VANISHED = "vanished"  # it was removed


@dataclass(frozen=True)
class Change:
    """What happened to a cgroup.

    Attributes:
        kind: What.
        cgroup: Which: its path below the tree's root.
    """

    kind: Kind
    cgroup: str


@dataclass
class _Node:
    inode: int
    watches: list[Watch] = field(default_factory=list)
    populated: bool = False
    children: set[str] = field(default_factory=set)


class CgroupTree:
    """Follows the tree below a folder; a context manager."""

    def __init__(self, root: Path, followed: Callable[[str], bool]) -> None:
        """Opens nothing yet.

        Args:
            root: A folder of a cgroup v2 file system.
            followed: Which cgroups are told of, by their path below the root.
        """
        self.root = root.resolve()
        self._followed = followed
        self._nodes: dict[str, _Node] = {}
        self._cgroups: dict[int, str] = {}  # by descriptor of the watch

    def __enter__(self) -> Self:
        """Begins.

        Raises:
            OSError: Too many users of inotify (EMFILE); or there is no root.
        """
        self._inotify = Inotify(cache_size=BATCH)
        # A cgroup file system does not say of a folder that it is gone, but to those who watch the folder above.
        self._above = self._inotify.add_watch(self.root.parent, Mask.DELETE | Mask.ONLYDIR)
        return self

    def __exit__(self, *_: object) -> None:
        """Ends all watches."""
        for node in self._nodes.values():
            self._close(node)
        self._nodes.clear()
        self._cgroups.clear()
        self._inotify.close()

    def __len__(self) -> int:
        """How many cgroups there are, the root included."""
        return len(self._nodes)

    def populated(self) -> list[str]:
        """The followed cgroups that have processes, sorted."""
        return sorted(cgroup for cgroup, node in self._nodes.items() if node.populated)

    def is_populated(self, cgroup: str) -> bool:
        """Whether a followed cgroup has processes, as far as is known."""
        return cgroup in self._nodes and self._nodes[cgroup].populated

    def scan(self) -> list[Change]:
        """Looks at the whole tree; tells what is different from what was known. The first thing to call.

        Raises:
            OSError: The root can't be read, or there are too many watches (ENOSPC).
        """
        self.root.stat()
        return list(self._look("", deep=True))

    async def changes(self) -> AsyncIterator[Change]:
        """What happens from the last :meth:`scan` on, for ever.

        Raises:
            OSError: The root is gone, or there are too many watches (ENOSPC).
        """
        while True:
            event = await self._inotify.get()
            for change in self._heed(event):
                yield change

    def _heed(self, event: Event) -> list[Change]:
        if Mask.Q_OVERFLOW in event.mask:
            return self.scan()
        if event.watch is self._above:
            return self.scan() if str(event.name) == self.root.name else []
        cgroup = self._cgroups.get(event.watch.wd) if event.watch else None
        if cgroup is None:  # of a watch that we have ended
            return []
        if Mask.IGNORED in event.mask:  # the kernel ended it: the cgroup is gone, there may be another of its name
            return [*self._forget(cgroup), *self._look(cgroup)] if cgroup else self.scan()
        if event.name is None:
            return list(self._read(cgroup, self.root / cgroup / EVENTS))
        if Mask.ISDIR in event.mask:
            return list(self._look(_path(cgroup, str(event.name))))
        return []

    def _look(self, cgroup: str, *, deep: bool = False) -> Iterator[Change]:
        """Compares a cgroup with what is known of it; and, if it is new or ``deep``, all below it."""
        waiting = [cgroup]
        while waiting:
            cgroup = waiting.pop()
            try:
                folder = os.open(self.root / cgroup, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            except OSError:  # gone, or not ours to see
                yield from self._forget(cgroup)
                continue
            try:
                node = self._nodes.get(cgroup)
                if node and node.inode != os.fstat(folder).st_ino:
                    yield from self._forget(cgroup)
                    node = None
                is_new = node is None
                if node is None:
                    node = self._adopt(cgroup, folder)
                yield from self._read(cgroup, EVENTS, folder)
                if (is_new or deep) and cgroup.count("/") + 1 < DEPTH:
                    there = _folders(folder)  # only now: what comes after the watch was set is told by an event
                    waiting += (_path(cgroup, name) for name in there | node.children)
            except FileNotFoundError:  # removed while we looked, as an event will say
                continue
            finally:
                os.close(folder)

    def _adopt(self, cgroup: str, folder: int) -> _Node:
        """Sets the watches, on the very folder that is open: another may have its name by now."""
        node = _Node(os.fstat(folder).st_ino)
        try:
            self._watch(cgroup, node, folder, _FOLDER)
            if self._followed(cgroup):
                # Removed meanwhile, as an event will say; or the root, which has no such file.
                with contextlib.suppress(FileNotFoundError), _opened(EVENTS, folder) as events:
                    self._watch(cgroup, node, events, Mask.MODIFY)
        except OSError:
            self._close(node)
            raise
        self._nodes[cgroup] = node
        if cgroup:
            parent, _, name = cgroup.rpartition("/")
            self._nodes[parent].children.add(name)
        return node

    def _watch(self, cgroup: str, node: _Node, opened: int, mask: Mask) -> None:
        watch = self._inotify.add_watch(f"/proc/self/fd/{opened}", mask)
        node.watches.append(watch)
        self._cgroups[watch.wd] = cgroup

    def _read(self, cgroup: str, events: str | Path, folder: int | None = None) -> Iterator[Change]:
        node = self._nodes.get(cgroup)
        if node is None or not self._followed(cgroup):
            return
        try:
            with _opened(events, folder) as opened:
                now = b"populated 1" in os.read(opened, 4096)
        except OSError:  # gone, or (ENODEV) going
            now = False
        if now != node.populated:
            node.populated = now
            yield Change(Kind.POPULATED if now else Kind.EMPTIED, cgroup)

    def _forget(self, cgroup: str) -> Iterator[Change]:
        """Takes a cgroup and all below it out of what is known."""
        parent, _, name = cgroup.rpartition("/")
        if parent in self._nodes:
            self._nodes[parent].children.discard(name)
        gone = [cgroup]
        for each in gone:  # grows
            node = self._nodes.pop(each, None)
            if node is not None:
                self._close(node)
                gone += (_path(each, name) for name in sorted(node.children))
                if self._followed(each):
                    yield Change(Kind.VANISHED, each)

    def _close(self, node: _Node) -> None:
        """Ends a cgroup's watches: one on a file would keep the removed cgroup's inode in the kernel."""
        for watch in node.watches:
            self._cgroups.pop(watch.wd, None)
            try:
                self._inotify.rm_watch(watch)
            except OSError:  # the kernel was first
                continue


@contextlib.contextmanager
def _opened(path: str | Path, folder: int | None) -> Iterator[int]:
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    try:
        yield opened
    finally:
        os.close(opened)


def _folders(folder: int) -> set[str]:
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries if entry.is_dir(follow_symlinks=False)}


def _path(cgroup: str, name: str) -> str:
    return f"{cgroup}/{name}" if cgroup else name
