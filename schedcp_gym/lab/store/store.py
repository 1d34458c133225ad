"""The store: measurements by key, in one SQLite file; and its upkeep."""

import contextlib
import functools
import logging
import shutil
import sqlite3
import time
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock

from schedcp_gym.lab.store.database import Database, readable
from schedcp_gym.lab.store.old_store import old_entries, old_sources
from schedcp_gym.lab.store.stored import Config, Stored, pack, unpack
from schedcp_gym.paths import cache_root
from schedcp_gym.spec import Measurement, Trial, source_sha256

log = logging.getLogger(__name__)

#: Raised when the schema, or the meaning of what is stored, changes; also the name of the store's folder.
FORMAT = 2
#: The body is the whole entry; the columns beside it are there to search by.
SCHEMA = (
    """CREATE TABLE trials (
    key TEXT PRIMARY KEY, trial TEXT, image TEXT, made REAL, policy TEXT, source TEXT, workload TEXT, scale TEXT,
    seed INTEGER, clock TEXT, outcome TEXT, body BLOB)""",
    "CREATE INDEX trials_by_made ON trials (made)",
    "CREATE TABLE sources (sha256 TEXT PRIMARY KEY, text BLOB)",
)
#: Places for a row's values.
MARKS = "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
#: Bytes of the pages that are in use.
LIVE = """SELECT (page_count - freelist_count) * page_size
    FROM pragma_page_count, pragma_freelist_count, pragma_page_size"""
#: Seconds between two looks at a claim that somebody else holds, and at whether to go on waiting.
LOOK_S, PATIENCE_S = 0.02, 0.2
#: Hex digits of the key that name a claim's lock. Trials that share it wait for each other, one pair in 4096.
LETTERS = 3


@dataclass(frozen=True)
class Filter:
    """Which trials; what is None or empty does not count. Names may be patterns (``schbench*``)."""

    policy: str | None = None
    workload: str | None = None
    scale: str | None = None
    seed: int | None = None
    clock: str | None = None
    outcome: str | None = None
    image: str | None = None
    digest: str = ""

    def where(self) -> tuple[str, list[object]]:
        """Return the condition in SQL, and its values."""
        given = {name: value for name, value in vars(self).items() if name != "digest" and value is not None}
        parts = [f"{name} {'GLOB' if name in ('policy', 'workload') else '='} ?" for name in given]
        values: list[object] = list(given.values())
        if self.digest:
            parts.append("(trial GLOB ? OR key GLOB ?)")
            values += [f"{self.digest.lower()}*"] * 2
        return " AND ".join(parts) or "1", values


class TrialStore:
    """Measurements by content. Safe to share between threads and processes of a host."""

    def __init__(self, folder: Path, old: Path | None = None) -> None:
        """Name the store; nothing is opened yet.

        Args:
            folder: The store's folder, made when first needed.
            old: The folder of a store of the form before this one; a new store begins with its measurements.
        """
        self.folder = folder
        self.old = old
        self.database = Database(folder / "trials.sqlite", FORMAT, self._begin)

    @contextlib.contextmanager
    def claimed(self, key: str, unless: Callable[[], bool]) -> Iterator[bool]:
        """Hold the right to measure a trial, which one thread of one process of this host has at a time.

        The kernel holds the lock: when its holder dies, however it dies, the lock is free at once.

        Args:
            key: The trial's key.
            unless: Called again and again while somebody else has the right; the wait ends when it returns true.

        Yields:
            Whether the right is held.
        """
        lock = filelock.FileLock(self.folder / "claims" / f"{key[:LETTERS]}.lock", poll_interval=LOOK_S)
        try:
            while not (held := _acquired(lock)) and not unless():
                pass
            yield held
        finally:
            lock.release(force=True)

    def read(self, key: str) -> Measurement | None:
        """Return the stored measurement, marked as cached; None when there is none or it can't be read."""
        entry = self._entry(key)
        return None if entry is None else entry.measurement

    def write(self, key: str, trial: Trial, measurement: Measurement) -> None:
        """Store a measurement; it is on disk when this returns. If that fails, the log says so."""
        entry = Stored(key, time.time(), Config.of(trial), measurement)
        try:
            self.database.write(lambda connection: put(connection, entry, trial.policy.source))
        except (OSError, sqlite3.Error) as error:
            log.warning("the measurement %s can't be stored: %s", key[:16], error)

    def source(self, sha256: str) -> str | None:
        """Return a policy's source by its SHA-256 (hex), empty for EEVDF; None when it is unknown or damaged."""
        if not sha256:
            return ""
        found = self.database.rows("SELECT text FROM sources WHERE sha256 = ?", sha256)
        try:
            text = zlib.decompress(found[0][0]).decode() if found else ""
        except (zlib.error, UnicodeError):
            return None
        return text if source_sha256(text) == sha256 else None

    def count(self, which: Filter | None = None) -> int:
        """Return how many measurements there are."""
        where, values = (which or Filter()).where()
        return int(self.database.rows(f"SELECT count(*) FROM trials WHERE {where}", *values)[0][0])

    def find(self, which: Filter | None = None, limit: int | None = None) -> list[Stored]:
        """Return stored measurements, the newest first, without those that can't be read."""
        return list(self.each(which, limit))

    def each(self, which: Filter | None = None, limit: int | None = None) -> Iterator[Stored]:
        """Yield the same, one after the other."""
        where, values = (which or Filter()).where()
        query = f"SELECT key FROM trials WHERE {where} ORDER BY made DESC, key LIMIT ?"
        for (key,) in self.database.rows(query, *values, -1 if limit is None else limit):
            if entry := self._entry(key):
                yield entry

    def size_bytes(self) -> int:
        """Return the bytes on disk."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def unwanted(
        self,
        *,
        images: Collection[str] | None = None,
        older_than_s: float | None = None,
        max_bytes: int | None = None,
    ) -> dict[str, list[str]]:
        """Return the keys of measurements that may go, by the reason: ``image``, ``age`` or ``size``.

        Args:
            images: Digests of the images that are there; measurements on others go. None: the image does not count.
            older_than_s: Older measurements go.
            max_bytes: The oldest go until the rest fits, as far as can be told beforehand.
        """
        rows = self.database.rows("SELECT key, image, made, length(body) FROM trials ORDER BY made DESC, key")
        oldest = -float("inf") if older_than_s is None else time.time() - older_than_s
        # Keys, columns, sources and pages that are not full are shared out among the bodies.
        per_byte = self.database.rows(LIVE)[0][0] / max(1, sum(size for *_, size in rows))
        found: dict[str, list[str]] = {"image": [], "age": [], "size": []}
        kept = 0.0
        for key, image, made, size in rows:
            if images is not None and image not in images:
                found["image"].append(key)
            elif made < oldest:
                found["age"].append(key)
            elif max_bytes is not None and kept + size * per_byte > max_bytes:
                found["size"].append(key)
            else:
                kept += size * per_byte
        return found

    def compact(self, unwanted: list[str]) -> None:
        """Delete measurements, unused sources and what earlier forms and damage left; give back the space.

        Args:
            unwanted: Keys of the measurements.
        """

        def change(connection: sqlite3.Connection) -> None:
            connection.executemany("DELETE FROM trials WHERE key = ?", [(key,) for key in unwanted])
            connection.execute("DELETE FROM sources WHERE sha256 NOT IN (SELECT source FROM trials)")

        self.database.write(change)
        self.database.vacuum()
        for path in self.folder.glob("*.damaged-*"):
            path.unlink(missing_ok=True)
        if self.old:
            shutil.rmtree(self.old, ignore_errors=True)

    def _entry(self, key: str) -> Stored | None:
        try:
            found = self.database.rows("SELECT body FROM trials WHERE key = ?", key)
            return unpack(key, found[0][0]) if found else None
        except (OSError, ValueError, TypeError, RecursionError, sqlite3.Error) as error:
            reason = str(error).split("\n")[0]
            log.warning("the stored measurement %s can't be used (%s); it is made again", key[:16], reason)
            return None

    def _begin(self, connection: sqlite3.Connection) -> None:
        """Make the tables, with the rows of a damaged file and of a store of the old form."""
        for statement in SCHEMA:
            connection.execute(statement)
        for damaged in self.database.damaged():
            for table, marks in (("sources", "?, ?"), ("trials", MARKS)):
                connection.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", readable(damaged, table))
        if self.old and self.old.is_dir():
            connection.executemany("INSERT OR IGNORE INTO sources VALUES (?, ?)", old_sources(self.old))
            for entry in old_entries(self.old):
                put(connection, entry)


def put(connection: sqlite3.Connection, entry: Stored, source: str = "") -> None:
    """Put a measurement, and its policy's source, into the database."""
    config, measured = entry.config, entry.measurement
    values = (
        *(entry.key, measured.trial, measured.digests.get("image", ""), entry.made, config.policy, config.source),
        *(config.workload, config.scale, config.seed, config.clock, measured.outcome.value, pack(entry)),
    )
    connection.execute(f"INSERT OR REPLACE INTO trials VALUES ({MARKS})", values)
    if source:
        kept = (source_sha256(source), zlib.compress(source.encode(), 9))
        connection.execute("INSERT OR IGNORE INTO sources VALUES (?, ?)", kept)


def _acquired(lock: filelock.BaseFileLock) -> bool:
    """Wait a little for a lock; return whether it is held now."""
    try:
        lock.acquire(timeout=PATIENCE_S)
    except filelock.Timeout:
        return False
    except OSError:  # no space, no rights: it is better to measure twice than not at all
        pass
    return True


def shared_store() -> TrialStore:
    """Return the store in the cache, which all processes of a user share."""
    return _store_in(cache_root() / "store")


@functools.cache
def _store_in(folder: Path) -> TrialStore:
    return TrialStore(folder / f"v{FORMAT}", old=folder / "v1")
