"""Segments: Parquet files of measurements, a column for each of their fields."""

import functools
import json
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schedcp_gym.lab.store.entry import Config

if TYPE_CHECKING:
    import pyarrow as pa

#: Rows that are read at once when one is asked for.
GROUP_ROWS = 64
#: Rows of a segment that is full.
SEGMENT_ROWS = 4096
#: Columns of the trial's configuration that hold JSON.
_JSON = ("tunables", "machine")
_OTHER = "other_fields"
#: An open file is read by one thread at a time.
_reading = threading.RLock()


def schema() -> "pa.Schema":
    """The columns: the trial's key and configuration, then what was measured."""
    import pyarrow as pa

    texts, counts, figures = (pa.map_(pa.string(), kind) for kind in (pa.string(), pa.int64(), pa.float64()))
    columns = {
        "key": pa.string(),
        "made_unix_s": pa.float64(),
        **{name: pa.string() for name in ("policy", "source", "tunables", "workload", "scale")},
        "seed": pa.int64(),
        "machine": pa.string(),
        **{name: pa.string() for name in ("trial", "outcome", "message", "log")},
        "metrics": figures,
        "events": counts,
        "cpu_s_by_name": figures,
        "timings_s": figures,
        "digests": texts,
        "utilisation": pa.float64(),
        "job_s": pa.float64(),
        "pages_scanned": pa.int64(),
        _OTHER: pa.string(),  # JSON: fields that have no column
    }
    return pa.schema(list(columns.items()))


def row_of(key: str, made: float, config: Config, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A measurement's row."""
    row = {"key": key, "made_unix_s": made, **vars(config)}
    row |= {name: json.dumps(row[name]) for name in _JSON}
    columns = set(schema().names)
    row |= {name: value for name, value in fields.items() if name in columns}
    row[_OTHER] = json.dumps({name: value for name, value in fields.items() if name not in columns})
    return row


def write_segment(path: Path, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Writes a segment; it is on disk, whole, when this returns.

    Args:
        path: Where.
        rows: As :func:`row_of` gives them.

    Returns:
        The numbers of the rows that were written, in order; a guest may give a number or a text no column can hold.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table, fitting = pa.Table.from_pylist(list(rows), schema=schema()), list(range(len(rows)))
    except (pa.ArrowException, OverflowError, UnicodeError):
        fitting = [number for number, row in enumerate(rows) if _fits(row)]
        table = pa.Table.from_pylist([rows[number] for number in fitting], schema=schema())
    if fitting:
        part = path.with_name(f".{path.name}.part")
        pq.write_table(
            table, part, row_group_size=GROUP_ROWS, compression="zstd", compression_level=9, write_page_checksum=True
        )
        sync(part)
        part.rename(path)
        sync(path.parent)
    return fitting


def _fits(row: Mapping[str, Any]) -> bool:
    import pyarrow as pa

    try:
        pa.Table.from_pylist([row], schema=schema())
    except (pa.ArrowException, OverflowError, UnicodeError):
        return False
    return True


def sync(path: Path) -> None:
    """Puts a file, or a folder's list of names, on disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read_row(path: Path, place: int) -> dict[str, Any]:
    """One row of a segment: its key, its configuration and the measurement's fields.

    Raises:
        OSError: There is no such file.
        ValueError: It is damaged.
    """
    group, within = divmod(place, GROUP_ROWS)
    with _reading:
        file = _opened(path, *_state(path))
        if group >= file.num_row_groups:
            raise ValueError("it is too short")
        rows = file.read_row_group(group, use_threads=False).slice(within, 1).to_pylist(maps_as_pydicts="strict")
    if not rows:
        raise ValueError("it is too short")
    return dict(rows[0])


def read_rows(path: Path) -> list[dict[str, Any]]:
    """All rows of a segment, for who wants many of them.

    Raises:
        OSError: There is no such file.
        ValueError: It is damaged.
    """
    return _all_rows(path, *_state(path))


@functools.lru_cache(maxsize=2)
def _all_rows(path: Path, *state: int) -> list[dict[str, Any]]:
    with _reading:
        return list(_opened(path, *state).read().to_pylist(maps_as_pydicts="strict"))


def _state(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


@functools.lru_cache(maxsize=64)
def _opened(path: Path, *_state: int) -> Any:
    """An open segment. Arrow's errors about a file's content are ValueErrors or OSErrors."""
    import pyarrow.parquet as pq

    return pq.ParquetFile(path, page_checksum_verification=True)


def count_rows(path: Path) -> int:
    """How many rows a segment has, those nobody needs included; 0 for a damaged one."""
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, ValueError):
        return 0


def config_of(row: Mapping[str, Any]) -> Config:
    """The configuration of a row.

    Raises:
        ValueError: The row is damaged.
    """
    names = Config.__dataclass_fields__
    return Config(**{name: json.loads(row[name]) if name in _JSON else row[name] for name in names})


def fields_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The measurement's fields of a row.

    Raises:
        ValueError: The row is damaged.
    """
    rest = json.loads(row[_OTHER])
    left_out = {"key", "made_unix_s", _OTHER, *Config.__dataclass_fields__}
    return {name: value for name, value in row.items() if name not in left_out} | dict(rest)
