"""The index: an SQLite file that several processes and threads use at once."""

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import filelock

log = logging.getLogger(__name__)

SCHEMA = Path(__file__).with_name("schema.sql")
#: Raised when the schema, or the meaning of what is stored, changes; also the name of the store's folder.
FORMAT = 1
#: Seconds to wait for another process that writes.
BUSY_S = 60.0

T = TypeVar("T")


class Index:
    """Connections to the index, one for each thread. A damaged file is set aside and a new one begun."""

    def __init__(self, folder: Path, begun: Callable[[], None]) -> None:
        """Opens nothing yet.

        Args:
            folder: The store's.
            begun: Called when a new index was begun.
        """
        self._begun = begun
        self.folder = folder
        self.path = folder / "index.sqlite"
        self._local = threading.local()

    def read(self, ask: Callable[[sqlite3.Connection], T]) -> T:
        """Asks something.

        Raises:
            sqlite3.Error: It can't be read, although it was begun anew.
            OSError: The folder can't be used.
        """
        try:
            return ask(self._connection())
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            self._set_aside(error)
            return ask(self._connection())

    def write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Changes something, all of it or nothing; it is on disk when this returns.

        Raises:
            sqlite3.Error: It can't be written.
            OSError: The folder can't be used.
        """

        def changed(connection: sqlite3.Connection) -> T:
            with _transaction(connection):
                return change(connection)

        return self.read(changed)

    def vacuum(self) -> None:
        """Gives back the space of what was deleted."""
        with contextlib.suppress(sqlite3.OperationalError):  # somebody writes: another time
            self.read(lambda connection: connection.execute("VACUUM"))
            self.read(lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())

    def close(self) -> None:
        """Closes this thread's connection."""
        if connection := getattr(self._local, "connection", None):
            connection.close()
        self._local.__dict__.clear()

    def _connection(self) -> sqlite3.Connection:
        known = getattr(self._local, "connection", None)
        # A fork must not use its parent's connection, nor anybody one to a file that was deleted or set aside.
        if known is not None and self._local.of == (os.getpid(), _inode(self.path)):
            return known  # type: ignore[no-any-return]
        self._local.__dict__.clear()
        self.folder.mkdir(parents=True, exist_ok=True)
        connection = _connect(self.path)
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            is_new = version != FORMAT and self._begin(connection)
        except sqlite3.DatabaseError as error:
            connection.close()
            if _is_damage(error) and self._set_aside(error):
                return self._connection()
            raise
        self._local.connection, self._local.of = connection, (os.getpid(), _inode(self.path))
        if is_new:
            self._begun()
        return connection

    def _begin(self, connection: sqlite3.Connection) -> bool:
        with filelock.FileLock(self.folder / "index.lock"):
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == FORMAT:
                return False
            connection.execute("PRAGMA journal_mode = WAL")
            with _transaction(connection):
                for statement in SCHEMA.read_text().split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {FORMAT}")
        return True

    def _set_aside(self, error: sqlite3.DatabaseError) -> bool:
        """Moves a damaged index out of the way, whoever sees it first; says whether it did."""
        self._local.__dict__.clear()
        with filelock.FileLock(self.folder / "index.lock"):
            if _is_sound(self.path):
                return False
            stamp = time.strftime("%Y%m%d-%H%M%S")
            for suffix in ("", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    Path(f"{self.path}{suffix}").replace(f"{self.path}.damaged-{stamp}{suffix}")
        log.warning("the index of the trial store was damaged (%s); set aside as *.damaged-%s", error, stamp)
        return True


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    # With the log ahead of the data (WAL), FULL puts each transaction on disk before it counts as done.
    connection.execute("PRAGMA synchronous = FULL")
    return connection


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:  # SQLite itself ends it for some errors
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return -1


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether the file is at fault; the subclasses say that it is busy, that the disk is full, or that we are wrong."""
    return type(error) is sqlite3.DatabaseError


def _is_sound(path: Path) -> bool:
    try:
        with contextlib.closing(_connect(path)) as connection:
            return bool(connection.execute("PRAGMA quick_check").fetchone() == ("ok",))
    except sqlite3.DatabaseError:
        return False
