"""A table's file: Parquet with the trial store's columns, and what the table is of in its metadata."""

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
#: Raised when a table's columns or metadata change their meaning.
FORMAT = 1


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Fidelity:
    """How near a table's rewards are to those of the real environment, at random actions that were not recorded.

    Attributes:
        actions: How many actions were drawn, uniformly from the flat action space; those that the table has a
            measurement of were passed over.
        draw: Seed of the draw.
        rank_correlation: Spearman's, of the table's rewards and the measured ones; None where it is not defined.
        median_error: Of the improvement ratio, relative to the measured one, where both outcomes are ok; None where
            none are.
        p90_error: The same, its 90th percentile.
        equal_outcomes: Share of the actions with the outcome that was measured.
    """

    actions: int
    draw: int
    rank_correlation: float | None
    median_error: float | None
    p90_error: float | None
    equal_outcomes: float


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class About:
    """What a table is of.

    Attributes:
        workload: The workload's name.
        workload_digest: Of its files.
        scale: How long it ran.
        machine: Where it ran.
        seeds: The workload seeds.
        points: Configurations planned for each seed.
        digests: Image, kernel and QEMU that it was measured with.
        sources: SHA-256 (hex) of each policy's source, by policy; empty for EEVDF.
        fidelity: None until it was measured.
        format: Of the file.
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
    """Recorded measurements of a workload, by seed, EEVDF's first; they carry no host time."""

    about: About
    rows: tuple[Stored, ...]


def write_table(path: Path, table: Table) -> None:
    """Writes a table; a half-written one is never seen. The bytes follow from the measurements alone."""
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
    """What a table is of, as JSON has it."""
    return dict(TypeAdapter(About).dump_python(about, mode="json"))


def _without_host(measurement: Measurement) -> dict[str, Any]:
    return plain(measurement) | {"timings_s": {}}


def read_table(workload: str) -> Table:
    """The table of a workload.

    Raises:
        BadInput: It has none, or the file is damaged or of another version; the text names the command that makes one.
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
            f"{path} can't be read ({reason}); `schedcp-gym table record {workload}` makes it anew"
        ) from None


@functools.lru_cache(maxsize=8)
def _read(path: Path, *_state: int) -> Table:
    import pyarrow.parquet as pq

    content = pq.read_table(path)
    raw = (content.schema.metadata or {}).get(_KEY)
    if raw is None:
        raise ValueError("it is no table of measurements")
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
        raise ValueError("it is of another version")
    try:
        return TypeAdapter(About).validate_python(fields)
    except ValidationError as error:
        raise ValueError(f"its metadata: {error.errors()[0]['msg']}") from None
