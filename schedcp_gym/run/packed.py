"""Store the files of several runs in one Parquet file: a row for each line, and columns for a measurement's figures.

A file that is read back is identical in each byte. No value is stored twice: if a column has a value of a line, the
line's text (column ``rest``) has ``null`` in its place. Files without JSON lines have one row, with ``line`` 0.
"""

import functools
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schedcp_gym.files import strict_json, whole_lines
from schedcp_gym.spec import SchedcpError

#: Run → path of a file in the run's folder → content.
Packed = dict[str, dict[str, bytes]]
#: Columns for values of a line: the value's place in the line, and its type.
COLUMNS: dict[str, tuple[tuple[str, ...], str]] = {
    "kind": (("kind",), "text"),
    "workload": (("workload",), "text"),
    "scale": (("scale",), "text"),
    "workload_seed": (("workload_seed",), "integer"),
    "policy": (("policy",), "text"),
    "source_sha256": (("source_sha256",), "text"),
    "outcome": (("outcome",), "text"),
    "episode": (("episode",), "integer"),
    "step": (("step",), "integer"),
    "reward": (("reward",), "number"),
    "reward_parts": (("reward_parts",), "numbers"),
    "trial": (("measurement", "trial"), "text"),
    "metrics": (("measurement", "metrics"), "numbers"),
    "events": (("measurement", "events"), "integers"),
    "utilisation": (("measurement", "utilisation"), "number"),
    "cpu_s_by_name": (("measurement", "cpu_s_by_name"), "numbers"),
    "job_s": (("measurement", "job_s"), "number"),
    "timings_s": (("host", "timings_s"), "numbers"),
}
#: Limits for reading a file, because anybody can submit one.
MOST_ROWS = 2_000_000
MOST_BYTES = 2**31
#: Rows that are unpacked at once: a few bytes of a page can expand to many long texts.
_BATCH = 64
#: Allowed names of runs and files, which cannot point outside of a folder.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?")
_INT64 = 2**63


def write_packed(runs: Mapping[str, Mapping[str, bytes]], path: Path) -> None:
    """Write the files of runs into a Parquet file.

    Args:
        runs: Run → file → content. Files of JSON lines have names that end in ``.jsonl``.
        path: The Parquet file.

    Raises:
        SchedcpError: The written file gives another content when it is read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = [(run, file, content) for run, own in runs.items() for file, content in own.items()]
    rows = [row for each in files for row in _rows(*each)]
    rows.sort(key=lambda row: (row["file"], row["run"], row["line"]))  # similar rows side by side compress best
    table = pa.Table.from_pylist(rows, schema=_schema())
    words = [name for name, (_where, kind) in COLUMNS.items() if kind == "text"]
    options: dict[str, Any] = {"compression": "zstd", "compression_level": 19, "data_page_size": 2**26}
    pq.write_table(table, path, use_dictionary=["run", "file", *words], **options)
    found = read_packed(path)
    if any(found[run][file] != (whole_lines(content) if _is_lines(file) else content) for run, file, content in files):
        raise SchedcpError(f"{path}: the written file gives another content when it is read")


def read_packed(path: Path) -> Packed:
    """Return the files of the runs in a Parquet file.

    Raises:
        OSError: The file does not exist.
        ValueError: :func:`write_packed` would not write such a file, or it is too large.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as source:
            if not source.schema_arrow.equals(_schema()):
                raise ValueError("its columns are not those of a file of runs")
            groups = [source.metadata.row_group(place) for place in range(source.metadata.num_row_groups)]
            if source.metadata.num_rows > MOST_ROWS or sum(group.total_byte_size for group in groups) > MOST_BYTES:
                raise ValueError(f"it has more than {MOST_ROWS:,} rows, or more than {MOST_BYTES:,} bytes")
            return _read(source)
    except pa.ArrowException as error:
        raise ValueError(f"it is not a Parquet file of runs: {error}") from None


def _is_lines(file: str) -> bool:
    return file.endswith(".jsonl")


def _read(source: Any) -> Packed:
    found: dict[str, dict[str, list[bytes]]] = {}
    size = 0
    for batch in source.iter_batches(batch_size=_BATCH):
        for row in batch.to_pylist():
            run, file = row["run"] or "", row["file"] or ""
            if not _NAME.fullmatch(file) or not _NAME.fullmatch(run) or "/" in run:
                raise ValueError(f"the name of a run or file is not allowed: {run!r}, {file!r}")
            content = found.setdefault(run, {}).setdefault(file, [])
            is_lines = _is_lines(file)
            # An empty file of JSON lines has one row, with line 0.
            expected = (0,) if not is_lines else (len(content) + 1, *([0] if not content else []))
            if row["line"] not in expected or row["rest"] is None or (content and not is_lines):
                raise ValueError(f"{run}/{file}: line {row['line']} is not in its place")
            text = _text(row, f"{run}/{file} line {row['line']}").encode()
            size += len(text)
            if size > MOST_BYTES:
                raise ValueError(f"its files have more than {MOST_BYTES:,} bytes")
            content.append(text + (b"\n" if row["line"] else b""))
    return {run: {file: b"".join(lines) for file, lines in files.items()} for run, files in found.items()}


def _rows(run: str, file: str, content: bytes) -> list[dict[str, Any]]:
    place = {"run": run, "file": file}
    if not _is_lines(file) or not whole_lines(content):
        return [{**place, "line": 0, "rest": "" if _is_lines(file) else content.decode()}]
    lines = whole_lines(content).decode().split("\n")[:-1]
    return [{**place, "line": number, **_row(text)} for number, text in enumerate(lines, 1)]


def _row(text: str) -> dict[str, Any]:
    """Return the columns of a line. If joining them would give another text, the whole line is in ``rest``."""
    row: dict[str, Any] = {}
    try:
        line = strict_json(text)
    except (ValueError, RecursionError):
        return {"rest": text}  # the reader of the record reports the error
    for name, ((*outer, key), kind) in COLUMNS.items():
        holder = line
        for step in outer:
            holder = holder.get(step) if isinstance(holder, dict) else None
        if isinstance(holder, dict) and _fits(holder.get(key), kind):
            row[name], holder[key] = holder[key], None
    row["rest"] = json.dumps(line)
    return row if _joined(row, "") == text else {"rest": text}


def _fits(value: Any, kind: str) -> bool:
    if kind in ("numbers", "integers"):
        return isinstance(value, dict) and all(_fits(one, kind[:-1]) for one in value.values())
    if kind == "number":
        return type(value) is float and math.isfinite(value)
    return type(value) is str if kind == "text" else type(value) is int and -_INT64 <= value < _INT64


def _text(row: dict[str, Any], where: str) -> str:
    for name, (_where, kind) in COLUMNS.items():
        if kind in ("numbers", "integers") and row[name] is not None:
            pairs = row[name]
            row[name] = dict(pairs)
            if len(row[name]) < len(pairs):
                raise ValueError(f"{where}: {name} has a duplicate key")
    return _joined(row, where)


def _joined(row: dict[str, Any], where: str) -> str:
    """Return the text of a line, with the values of the columns in their places."""
    columns = {name: row[name] for name in COLUMNS if row.get(name) is not None}
    text: str = row["rest"]
    if not columns:
        return text
    line = strict_json(text)
    for name, value in columns.items():
        (*outer, key), kind = COLUMNS[name]
        if not _fits(value, kind):
            raise ValueError(f"{where}: {name} is not a finite {kind}")
        holder = line
        for step in outer:
            holder = holder.get(step) if isinstance(holder, dict) else None
        if not isinstance(holder, dict) or key not in holder or holder[key] is not None:
            raise ValueError(f"{where}: {name} occurs twice, or has no place in the line")
        holder[key] = value
    return json.dumps(line)


@functools.cache
def _schema() -> Any:
    import pyarrow as pa

    kinds = {
        "text": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "numbers": pa.map_(pa.string(), pa.float64()),
        "integers": pa.map_(pa.string(), pa.int64()),
    }
    places = [("run", pa.string()), ("file", pa.string()), ("line", pa.int64())]
    return pa.schema(
        [*places, *((name, kinds[kind]) for name, (_where, kind) in COLUMNS.items()), ("rest", pa.string())]
    )
