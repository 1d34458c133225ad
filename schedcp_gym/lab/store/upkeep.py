"""What keeps a store small and quick: moves into segments, and the deletion of what nobody needs any more."""

import contextlib
import logging
import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import filelock

from schedcp_gym.lab.store import columns
from schedcp_gym.lab.store.entry import Entry, measurement_of, unpack
from schedcp_gym.lab.store.store import CONFIG, TrialStore, config_of, insert

log = logging.getLogger(__name__)

#: Segments with fewer rows than this share of a full one are put together.
SPARSE = 0.5


@contextlib.contextmanager
def _alone(store: TrialStore) -> Iterator[None]:
    """While nobody else moves rows between index and segments."""
    store.segments.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(store.folder / "upkeep.lock"):
        _recover(store)
        yield


def recover(store: TrialStore) -> None:
    """Takes back what a crash left behind, unless somebody is at it."""
    with contextlib.suppress(filelock.Timeout), filelock.FileLock(store.folder / "upkeep.lock", blocking=False):
        _recover(store)


def _recover(store: TrialStore) -> None:
    """Deletes half-written files; a segment the index does not know is taken into it, or deleted if it knows better."""
    known = {number for (number,) in _rows(store, "SELECT DISTINCT segment FROM trials WHERE segment >= 0")}
    for path in store.segments.iterdir():
        if path.suffix != ".parquet" or (int(path.stem) not in known and not _adopt(store, path)):
            path.unlink()


def _adopt(store: TrialStore, path: Path) -> int:
    """Puts those of a segment's rows into the index whose trials it does not have; says how many."""
    try:
        entries = [
            Entry(row["key"], row["made_unix_s"], columns.config_of(row), measurement_of(columns.fields_of(row)))
            for row in columns.read_rows(path)
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("%s can't be read (%s); deleted", path, error)
        return 0

    def change(connection: sqlite3.Connection) -> int:
        known = {key for (key,) in connection.execute("SELECT key FROM trials")}
        missing = [at for at, entry in enumerate(entries) if bytes.fromhex(entry.key) not in known]
        for at in missing:
            insert(connection, entries[at], int(path.stem), at)
        return len(missing)

    return store.index.write(change)


def move_loose(store: TrialStore, *, whole_only: bool = False) -> int:
    """Moves measurements out of the index into segments, the oldest first.

    Args:
        store: The store.
        whole_only: Only as many as fill a segment.

    Returns:
        How many were moved.
    """
    moved = 0
    with _alone(store):
        while True:
            loose = _rows(
                store, "SELECT key FROM trials WHERE segment IS NULL ORDER BY made LIMIT ?", [columns.SEGMENT_ROWS]
            )
            if not loose or (whole_only and len(loose) < columns.SEGMENT_ROWS):
                return moved
            moved += _move(store, [key for (key,) in loose])


def _move(store: TrialStore, keys: Sequence[bytes]) -> int:
    """Writes a segment of measurements that are in the index or other segments, and points the index to it."""
    last = max((int(path.stem) for path in store.segments.glob("*.parquet")), default=0)
    number = max(last + 1, int(1000 * time.time()))  # never one that was used before
    read = [found for key in keys if (found := _row(store, key))]
    written = columns.write_segment(store.segment(number), [row for row, _ in read])
    places = {at: place for place, at in enumerate(written)}

    def change(connection: sqlite3.Connection) -> None:
        for at, (row, made) in enumerate(read):
            key = bytes.fromhex(row["key"])
            segment, place = (number, places[at]) if at in places else (-1, None)
            # One that was measured again meanwhile stays where it is.
            changed = connection.execute(
                "UPDATE trials SET segment = ?, place = ? WHERE key = ? AND made = ?", (segment, place, key, made)
            )
            if changed.rowcount and at in places:
                connection.execute("DELETE FROM bodies WHERE key = ?", (key,))
        unread = set(keys) - {bytes.fromhex(row["key"]) for row, _ in read}
        connection.executemany("DELETE FROM trials WHERE key = ?", [(key,) for key in unread])
        connection.executemany("DELETE FROM bodies WHERE key = ?", [(key,) for key in unread])

    store.index.write(change)
    return len(written)


def _row(store: TrialStore, key: bytes) -> tuple[dict[str, Any], float] | None:
    """A measurement's row for a segment, and when it was made; None when it is damaged."""
    query = f"SELECT {CONFIG}, made, body, segment, place FROM trials LEFT JOIN bodies USING (key) WHERE key = ?"
    found = _rows(store, query, [key])
    if not found:
        return None
    *config, made, body, segment, place = found[0]
    try:
        if body is None:
            return columns.read_rows(store.segment(segment))[place], made
        fields = unpack(body)
        measurement_of(fields)
        return columns.row_of(key.hex(), made, config_of(config), fields), made
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        log.warning("the stored measurement %s can't be read (%s); deleted", key.hex()[:16], error)
        return None


def tidy(store: TrialStore, unwanted: Sequence[bytes] = ()) -> None:
    """Deletes what is unwanted, moves all else into segments, writes sparse ones anew, and gives back space.

    Args:
        store: The store.
        unwanted: Keys of measurements to delete.
    """
    move_loose(store)
    with _alone(store):
        store.index.write(lambda connection: _delete(connection, unwanted))
        used = dict(_rows(store, "SELECT segment, count(*) FROM trials WHERE segment >= 0 GROUP BY segment"))
        for path in store.segments.glob("*.parquet"):
            if int(path.stem) not in used:
                path.unlink()
        sparse = [number for number, count in used.items() if count < SPARSE * columns.SEGMENT_ROWS]
        dead = [number for number, count in used.items() if count < columns.count_rows(store.segment(number))]
        if len(sparse) > 1 or dead:
            _rewrite(store, sorted({*sparse, *dead}))
        store.index.write(_forget_sources)
    store.index.vacuum()


def _rewrite(store: TrialStore, numbers: Sequence[int]) -> None:
    marks = ", ".join("?" * len(numbers))
    keys = [key for (key,) in _rows(store, f"SELECT key FROM trials WHERE segment IN ({marks}) ORDER BY made", numbers)]
    for start in range(0, len(keys), columns.SEGMENT_ROWS):
        _move(store, keys[start : start + columns.SEGMENT_ROWS])
    for number in numbers:
        store.segment(number).unlink(missing_ok=True)


def _forget_sources(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM sources WHERE sha256 NOT IN (SELECT source FROM trials WHERE source IS NOT NULL)")


def _delete(connection: sqlite3.Connection, keys: Sequence[bytes]) -> None:
    for table in ("trials", "bodies"):
        connection.executemany(f"DELETE FROM {table} WHERE key = ?", [(key,) for key in keys])


def doomed(
    store: TrialStore, *, images: Collection[str] | None = None, before: float | None = None, keep: int | None = None
) -> dict[str, list[bytes]]:
    """The keys of measurements that are to be deleted, by the reason; each under its first.

    Args:
        store: The store.
        images: Digests of the images that are there; those of others go. None: the image does not matter.
        before: Those made earlier go (seconds since 1970).
        keep: As many of the newest stay, of those that are left.
    """
    found: dict[str, list[bytes]] = {"image": [], "age": [], "size": []}
    left = 0
    for key, image, made in _rows(store, "SELECT key, image, made FROM trials ORDER BY made DESC"):
        if images is not None and image not in images:
            found["image"].append(key)
        elif before is not None and made < before:
            found["age"].append(key)
        elif keep is not None and left >= keep:
            found["size"].append(key)
        else:
            left += 1
    return found


def _rows(store: TrialStore, query: str, values: Sequence[object] = ()) -> list[Any]:
    return store.index.read(lambda connection: connection.execute(query, values).fetchall())
