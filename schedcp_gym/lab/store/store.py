"""The store: measurements by key, found in the index, kept in it or in segments."""

import collections
import contextlib
import functools
import json
import logging
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schedcp_gym.lab.store import columns
from schedcp_gym.lab.store.claim import Claim
from schedcp_gym.lab.store.entry import Config, Entry, measurement_of, pack, unpack
from schedcp_gym.lab.store.index import FORMAT, Index
from schedcp_gym.paths import cache_root
from schedcp_gym.spec import Measurement, Trial, source_sha256

log = logging.getLogger(__name__)

#: Measurements in the index that set off their move into a segment.
LOOSE_LIMIT = 2 * columns.SEGMENT_ROWS
#: How often a reader looks again when a segment was rewritten under it.
LOOKS = 5
#: From so many rows on a segment is read as a whole.
MANY = 32
#: The index's columns that make a trial's configuration.
CONFIG = "policy, source, tunables, workload, scale, seed, machine"


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
        """The condition in SQL, and its values."""
        exact = {name: getattr(self, name) for name in ("scale", "seed", "clock", "outcome", "image")}
        parts = [f"{name} = ?" for name, value in exact.items() if value is not None]
        values: list[object] = [value for value in exact.values() if value is not None]
        for name in ("policy", "workload"):
            if (pattern := getattr(self, name)) is not None:
                parts.append(f"{name} GLOB ?")
                values.append(pattern)
        if self.digest:
            parts.append("(lower(hex(trial)) GLOB ? OR lower(hex(key)) GLOB ?)")
            values += [f"{self.digest.lower()}*"] * 2
        return " AND ".join(parts) or "1", values


class TrialStore:
    """Measurements by content. Safe to share between threads and processes of a host."""

    def __init__(self, folder: Path) -> None:
        """Opens nothing yet.

        Args:
            folder: Where it lies; made when first needed.
        """
        self.folder = folder
        self.segments = folder / "segments"
        self.index = Index(folder, self._take_over)
        self._moving = threading.Lock()

    def claim(self, key: str) -> Claim:
        """The right to measure a trial, to be taken or waited for."""
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
        return Claim(self.folder / "claims", key)

    def read(self, key: str) -> Measurement | None:
        """The stored measurement, marked as cached; None when there is none or it can't be read."""
        try:
            fields = self._fields(key)
            return None if fields is None else measurement_of(fields)
        except (OSError, ValueError, KeyError, TypeError, RecursionError, sqlite3.Error) as error:
            reason = str(error).split("\n")[0]
            log.warning("the stored measurement %s can't be used (%s); it is made again", key[:16], reason)
            return None

    def write(self, key: str, trial: Trial, measurement: Measurement) -> None:
        """Stores a measurement; it is on disk when this returns. One that can't be stored is said and left."""
        config = Config.of(trial)
        self._write(Entry(key, time.time(), config, measurement), trial.policy.source)

    def _write(self, entry: Entry, source: str) -> None:
        try:
            self.index.write(lambda connection: put(connection, entry, source))
            loose = self.index.read(_loose)
        except (OSError, sqlite3.Error) as error:
            log.warning("the measurement %s can't be stored: %s", entry.key[:16], error)
            return
        if loose >= LOOSE_LIMIT and self._moving.acquire(blocking=False):
            threading.Thread(target=self._move_in_background, name="store").start()

    def _take_over(self) -> None:
        """For a new index: segments may be there, of one that was damaged."""
        from schedcp_gym.lab.store.upkeep import recover

        if self.segments.exists():
            recover(self)

    def _move_in_background(self) -> None:
        from schedcp_gym.lab.store.upkeep import move_loose

        try:
            move_loose(self, whole_only=True)
        except (OSError, sqlite3.Error, ValueError) as error:
            log.warning("measurements could not be moved into a segment: %s", error)
        finally:
            self.index.close()
            self._moving.release()

    def source(self, sha256: str) -> str | None:
        """A policy's source by its SHA-256 (hex); that of EEVDF is empty. None when it is not known."""
        if not sha256:
            return ""

        def ask(connection: sqlite3.Connection) -> Any:
            return connection.execute("SELECT text FROM sources WHERE sha256 = ?", (_key(sha256),)).fetchone()

        found = self.index.read(ask)
        try:
            return None if found is None else zlib.decompress(found[0]).decode()
        except (zlib.error, UnicodeError):
            return None

    def count(self, which: Filter | None = None) -> int:
        """How many measurements there are."""
        where, values = (which or Filter()).where()
        return int(
            self.index.read(lambda on: on.execute(f"SELECT count(*) FROM trials WHERE {where}", values).fetchone())[0]
        )

    def find(self, which: Filter | None = None, limit: int | None = None) -> list[Entry]:
        """Stored measurements, the newest first; those that can't be read are left out."""
        return list(self.each(which, limit))

    def each(self, which: Filter | None = None, limit: int | None = None) -> Iterator[Entry]:
        """The same, one after the other."""
        where, values = (which or Filter()).where()
        query = f"SELECT {CONFIG}, key, made, segment, place FROM trials WHERE {where} ORDER BY made DESC, key LIMIT ?"
        bound = [*values, -1 if limit is None else limit]
        found = self.index.read(lambda connection: connection.execute(query, bound).fetchall())
        wanted = collections.Counter(segment for *_, segment, _ in found)
        for *config, key, made, segment, place in found:
            measurement = None
            if segment is not None and wanted[segment] > MANY:
                measurement = self._of_many(key.hex(), segment, place)
            if measurement := measurement or self.read(key.hex()):
                yield Entry(key.hex(), made, config_of(config), measurement)

    def _of_many(self, key: str, segment: int, place: int) -> Measurement | None:
        """A measurement of a segment that is read as a whole; None when it is not there any more."""
        try:
            row = columns.read_rows(self.segment(segment))[place]
            return measurement_of(columns.fields_of(row)) if row["key"] == key else None
        except (OSError, ValueError, KeyError, IndexError, TypeError):
            return None

    def size_bytes(self) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def segment(self, number: int) -> Path:
        """The file of a segment."""
        return self.segments / f"{number}.parquet"

    def _fields(self, key: str) -> dict[str, Any] | None:
        for _ in range(LOOKS):
            found = self.index.read(lambda connection: _place(connection, key))
            if found is None:
                return None
            body, segment, place = found
            if body is not None:
                return unpack(body)
            if segment is None:
                raise ValueError("its content is gone")
            try:
                row = columns.read_row(self.segment(segment), place)
            except FileNotFoundError as error:
                gone = error
                continue  # it may have been rewritten since the index was asked
            if row["key"] != key:
                raise ValueError(f"{self.segment(segment).name} holds another in its place")
            return columns.fields_of(row)
        raise gone


def config_of(values: Sequence[Any]) -> Config:
    """A configuration from the index's columns."""
    policy, source, tunables, workload, scale, seed, machine = values
    hexed = source.hex() if source else ""
    return Config(policy, hexed, json.loads(tunables), workload, scale, seed, json.loads(machine))


def _place(connection: sqlite3.Connection, key: str) -> Any:
    return connection.execute(
        "SELECT body, segment, place FROM trials LEFT JOIN bodies USING (key) WHERE key = ?", (_key(key),)
    ).fetchone()


def _loose(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM trials WHERE segment IS NULL").fetchone()[0])


def put(connection: sqlite3.Connection, entry: Entry, source: str) -> None:
    """Puts a measurement and its policy's source into the index."""
    insert(connection, entry, None, None)
    body = pack(entry.measurement)
    connection.execute("INSERT OR REPLACE INTO bodies VALUES (?, ?)", (_key(entry.key), body))
    if source:
        kept = (_key(source_sha256(source)), zlib.compress(source.encode(), 9))
        connection.execute("INSERT OR IGNORE INTO sources VALUES (?, ?)", kept)


def insert(connection: sqlite3.Connection, entry: Entry, segment: int | None, place: int | None) -> None:
    """Puts a measurement's line into the index, in place of the one there is."""
    config, measurement = entry.config, entry.measurement
    values: Sequence[object] = (
        *(_key(entry.key), _key(measurement.trial), measurement.digests.get("image", ""), entry.made),
        *(config.policy, _key(config.source) if config.source else None, json.dumps(config.tunables)),
        *(config.workload, config.scale, config.seed, config.clock, json.dumps(config.machine)),
        *(measurement.outcome.value, measurement.timings_s.get("total"), segment, place),
    )
    connection.execute(f"INSERT OR REPLACE INTO trials VALUES ({', '.join('?' * len(values))})", values)


def _key(text: str) -> bytes:
    return bytes.fromhex(text)


def shared_store() -> TrialStore:
    """The store in the cache, which all processes of a user share."""
    return _store_in(cache_root() / "store" / f"v{FORMAT}")


@functools.cache
def _store_in(folder: Path) -> TrialStore:
    return TrialStore(folder)
