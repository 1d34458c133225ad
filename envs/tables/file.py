"""A table's file: Parquet with a row for each measurement, and a description in its metadata."""

import functools
import json
import os
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from schedcp_gym.envs.tables import columns
from schedcp_gym.lab.store.stored import Stored, measurement_of, plain
from schedcp_gym.paths import table_files
from schedcp_gym.spec import BadInput, MachineSpec, Measurement, Scale

_KEY = b"schedcp_gym.table"
#: Raise it when columns or metadata change their meaning.
FORMAT = 1


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Fidelity:
    """The distance of a table's rewards from those of the real environment, for random actions that were not recorded.

    Attributes:
        actions: Number of actions, drawn uniformly from the flat action space without recorded configurations.
        draw: Seed of the draw.
        rank_correlation: Spearman's, between the table's rewards and the measured ones; None if it is not defined.
        median_error: Median of the relative errors of the improvement ratio, where both outcomes are ok; None if no
            such action was drawn.
        p90_error: 90th percentile of these errors.
        equal_outcomes: Share of the actions for which the table has the measured outcome, 0 to 1.
    """

    actions: int
    draw: int
    rank_correlation: float | None
    median_error: float | None
    p90_error: float | None
    equal_outcomes: float


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class About:
    """The description of a table.

    Attributes:
        workload: The workload's name.
        workload_digest: Of the workload's files.
        scale: Scale of the trials.
        machine: Machine of the trials.
        seeds: The workload seeds.
        points: Number of configurations planned for each seed.
        digests: Of image and machine; versions of kernel and QEMU.
        sources: Policy → SHA-256 (hex) of its source; empty for EEVDF.
        fidelity: None if it was not measured.
        format: Version of the file's format.
    """

    workload: str
    workload_digest: str
    scale: Scale
    machine: MachineSpec
    seeds: tuple[int, ...]
    points: int
    digests: dict[str, str]
    sources: dict[str, str]
    fidelity: Fidelity | None = None
    format: int = FORMAT


@dataclass(frozen=True)
class Table:
    """Recorded measurements of a workload without host times, by seed; EEVDF is the first of each seed."""

    about: About
    rows: tuple[Stored, ...]


def write_table(path: Path, table: Table) -> None:
    """Write a table. Equal measurements give equal bytes, and a killed process leaves no incomplete file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [columns.row_of(row.key, row.made, row.config, _without_host(row.measurement)) for row in table.rows]
    about = json.dumps(about_as_json(table.about), sort_keys=True)
    schema = columns.schema().with_metadata({_KEY: about.encode()})
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), part, compression="zstd", compression_level=9)
    _sync(part)
    part.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Put a file, or a folder's list of names, on disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def about_as_json(about: About) -> dict[str, Any]:
    """Return a table's description as JSON values."""
    return dict(TypeAdapter(About).dump_python(about, mode="json"))


def _without_host(measurement: Measurement) -> dict[str, Any]:
    return plain(measurement) | {"timings_s": {}}


def read_table(workload: str) -> Table:
    """Return the table of a workload.

    Raises:
        BadInput: There is no table, or its file is damaged or of another version; the text names the command that makes
            a new one.
    """
    path = table_files().get(workload)
    if path is None:
        raise BadInput(f"{workload} has no table; `schedcp-gym table record {workload}` makes one")
    try:
        state = path.stat()
        return _read(path, state.st_mtime_ns, state.st_size)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error).split("\n")[0]
        raise BadInput(
            f"{path} can't be read ({reason}); `schedcp-gym table record {workload}` makes a new one"
        ) from None


@functools.lru_cache(maxsize=8)
def _read(path: Path, *_state: int) -> Table:
    import pyarrow.parquet as pq

    content = pq.read_table(path)
    raw = (content.schema.metadata or {}).get(_KEY)
    if raw is None:
        raise ValueError("it is not a table of measurements")
    about = _about(raw)
    rows = content.to_pylist(maps_as_pydicts="strict")
    return Table(
        about,
        tuple(
            Stored(row["key"], row["made_unix_s"], columns.config_of(row), measurement_of(columns.fields_of(row)))
            for row in rows
        ),
    )


def _about(raw: bytes) -> About:
    fields = json.loads(raw)
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise ValueError("it has another version")
    try:
        return TypeAdapter(About).validate_python(fields)
    except ValidationError as error:
        raise ValueError(f"its metadata: {error.errors()[0]['msg']}") from None
