"""An SQLite file that several processes and threads use at once."""

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import filelock

log = logging.getLogger(__name__)

#: Seconds to wait for others that write: a busy host with a slow disk may need a minute for each of them.
BUSY_S = 600.0
#: Seconds between two looks at whether they are done.
LOOK_S = 0.01

T = TypeVar("T")


class Database:
    """One connection for each thread. A damaged file is set aside, and what can be read of it goes into a new one."""

    def __init__(self, path: Path, version: int, begin: Callable[[sqlite3.Connection], None]) -> None:
        """Name the file; it is opened when first needed.

        Args:
            path: The file.
            version: Of the schema.
            begin: Make the tables of a new file and fill them: all of it happens, or nothing.
        """
        self.path = path
        self._version = version
        self._begin = begin
        self._local = threading.local()
        self._queue, self._lock = (_lock(path.with_suffix(end)) for end in (".queue", ".lock"))

    def run(self, ask: Callable[[sqlite3.Connection], T]) -> T:
        """Return what a question to the database gives.

        Raises:
            sqlite3.Error: The file can't be read, although it was begun again.
            OSError: The folder can't be used.
        """
        try:
            return ask(self._connection())
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            self._set_aside(error)
            return ask(self._connection())

    def rows(self, query: str, *values: object) -> list[Any]:
        """Return the rows of a query."""
        return self.run(lambda connection: connection.execute(query, values).fetchall())

    def write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Change all or nothing; the change is on disk when this returns.

        Raises:
            sqlite3.Error: The file can't be written.
            OSError: The folder can't be used, or others write for too long.
        """

        def changed(connection: sqlite3.Connection) -> T:
            with connection:  # commits, or rolls back after an error
                connection.execute("BEGIN IMMEDIATE")
                return change(connection)

        with self._alone():
            return self.run(changed)

    def vacuum(self) -> None:
        """Give back the space of deleted rows, unless another program uses the file."""
        with self._alone(), contextlib.suppress(sqlite3.OperationalError):
            self.rows("VACUUM")
            self.rows("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close this thread's connection."""
        if connection := getattr(self._local, "connection", None):
            connection.close()
        self._local.__dict__.clear()

    def damaged(self) -> list[Path]:
        """Return the files that were set aside, the newest first."""
        found = self.path.parent.glob(f"{self.path.name}.damaged-*")
        return sorted((path for path in found if not path.name.endswith(("-wal", "-shm"))), reverse=True)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock of those that write.

        SQLite looks for a free file at random moments. Under load, one process that writes all the time can keep
        another from writing for minutes. So the next to write holds the queue's lock while it waits; one that has
        written must wait for that lock too, and can't overtake.
        """
        if self._lock.is_locked:  # by this thread
            yield
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._queue:
            self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    def _connection(self) -> sqlite3.Connection:
        # A forked child must not use its parent's connection, and no thread one to a file that was replaced.
        known = getattr(self._local, "connection", None)
        if known is not None and self._local.of == (os.getpid(), _inode(self.path)):
            return known  # type: ignore[no-any-return]
        self._local.__dict__.clear()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = _connect(self.path)
        try:
            if not self._is_begun(connection):
                with self._alone():
                    connection.execute("PRAGMA journal_mode = WAL")
                    if not self._is_begun(connection):
                        with connection:
                            connection.execute("BEGIN IMMEDIATE")
                            self._begin(connection)
                            connection.execute(f"PRAGMA user_version = {self._version}")
        except sqlite3.DatabaseError as error:
            connection.close()
            if _is_damage(error) and self._set_aside(error):
                return self._connection()
            raise
        self._local.connection, self._local.of = connection, (os.getpid(), _inode(self.path))
        return connection

    def _is_begun(self, connection: sqlite3.Connection) -> bool:
        return bool(connection.execute("PRAGMA user_version").fetchone() == (self._version,))

    def _set_aside(self, error: sqlite3.DatabaseError) -> bool:
        """Rename a damaged file, if no other process did so first."""
        self._local.__dict__.clear()
        with self._alone():
            if _is_sound(self.path):
                return False
            to = f"{self.path}.damaged-{time.strftime('%Y%m%d-%H%M%S')}"
            for suffix in ("-wal", "-shm", ""):
                with contextlib.suppress(FileNotFoundError):
                    Path(f"{self.path}{suffix}").replace(f"{to}{suffix}")
        log.warning("%s was damaged (%s); it is now %s", self.path, error, to)
        return True


def readable(path: Path, table: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a damaged file's table that can be read; some come twice."""
    for order in ("ASC", "DESC"):  # a damaged page ends a scan: the second one comes from the other side
        with contextlib.suppress(sqlite3.DatabaseError), contextlib.closing(_connect(path)) as damaged:
            yield from damaged.execute(f"SELECT * FROM {table} ORDER BY rowid {order}")


def _lock(path: Path) -> filelock.BaseFileLock:
    return filelock.FileLock(path, timeout=BUSY_S, poll_interval=LOOK_S)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    # With a write-ahead log, FULL puts each transaction on disk before it counts as done.
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return -1


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Return whether the file is at fault; subclasses mean a busy file, a full disk, or an error of ours."""
    return type(error) is sqlite3.DatabaseError


def _is_sound(path: Path) -> bool:
    try:
        with contextlib.closing(_connect(path)) as connection:
            return bool(connection.execute("PRAGMA quick_check").fetchone() == ("ok",))
    except sqlite3.DatabaseError:
        return False
