"""Read a store of the old form: an SQLite index, and measurements in it or in Parquet segments."""

import contextlib
import functools
import json
import logging
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from schedcp_gym.lab.store.stored import Config, Stored, measurement_of

log = logging.getLogger(__name__)

QUERY = """SELECT lower(hex(key)), made, policy, lower(hex(source)), tunables, workload, scale, seed, machine,
    body, segment, place FROM trials LEFT JOIN bodies USING (key) ORDER BY segment, place"""
SOURCES = "SELECT lower(hex(sha256)), text FROM sources"
#: Columns of a segment that are no fields of the measurement.
OTHERS = {"key", "made_unix_s", "other_fields", *Config.__dataclass_fields__}


def old_sources(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the policies' sources that can be read: SHA-256 (hex), and the compressed text."""
    return _read(folder, SOURCES)


def old_entries(folder: Path) -> Iterator[Stored]:
    """Yield the measurements that can be read; at the end, log how many there were."""
    taken = lost = 0
    for key, made, policy, source, tunables, workload, scale, seed, machine, *place in _read(folder, QUERY):
        try:
            config = Config(policy, source, json.loads(tunables), workload, scale, seed, json.loads(machine))
            entry = Stored(key, made, config, measurement_of(_fields(folder, key, *place)))
        except (OSError, ValueError, KeyError, IndexError, TypeError, zlib.error):
            lost += 1
            continue
        yield entry
        taken += 1
    log.warning("the old trial store %s was converted: %d measurements, %d could not be read", folder, taken, lost)


def _read(folder: Path, query: str) -> Iterator[Any]:
    try:
        with contextlib.closing(sqlite3.connect(folder / "index.sqlite")) as index:
            yield from index.execute(query)
    except sqlite3.DatabaseError as error:
        log.warning("%s: the rest of the old store can't be read (%s)", folder, error)


def _fields(folder: Path, key: str, body: bytes | None, segment: int, place: int) -> dict[str, Any]:
    if body is not None:
        return dict(json.loads(zlib.decompress(body)))
    row = _rows(folder / "segments" / f"{segment}.parquet")[place]
    if row["key"] != key:
        raise ValueError("another row is in its place")
    return {name: row[name] for name in row if name not in OTHERS} | dict(json.loads(row["other_fields"]))


@functools.lru_cache(maxsize=1)
def _rows(path: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    return list(pq.ParquetFile(path, page_checksum_verification=True).read().to_pylist(maps_as_pydicts="strict"))
