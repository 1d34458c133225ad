"""Measurements as rows of a table's Parquet file."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from schedcp_gym.lab.store.stored import Config

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = """key:text made_unix_s:figure policy:text source:text tunables:text workload:text scale:text seed:count
    machine:text trial:text outcome:text message:text log:text metrics:figures events:counts cpu_s_by_name:figures
    timings_s:figures digests:texts utilisation:figure job_s:figure pages_scanned:count other_fields:text"""
#: Columns of the trial's configuration that hold JSON.
_JSON = ("tunables", "machine")
#: The column for fields without a column of their own, as JSON.
_OTHER = "other_fields"


def schema() -> "pa.Schema":
    """Return the columns: the trial's key and configuration, then the measurement."""
    import pyarrow as pa

    kinds = {"text": pa.string(), "count": pa.int64(), "figure": pa.float64()}
    kinds |= {f"{name}s": pa.map_(pa.string(), kind) for name, kind in kinds.items()}
    return pa.schema([(name, kinds[kind]) for name, kind in (column.split(":") for column in COLUMNS.split())])


def row_of(key: str, made: float, config: Config, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a measurement's row."""
    row = {"key": key, "made_unix_s": made, **vars(config)}
    row |= {name: json.dumps(row[name]) for name in _JSON}
    columns = set(schema().names)
    row |= {name: value for name, value in fields.items() if name in columns}
    row[_OTHER] = json.dumps({name: value for name, value in fields.items() if name not in columns})
    return row


def config_of(row: Mapping[str, Any]) -> Config:
    """Return the configuration of a row.

    Raises:
        ValueError: The row is damaged.
    """
    names = Config.__dataclass_fields__
    return Config(**{name: json.loads(row[name]) if name in _JSON else row[name] for name in names})


def fields_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the measurement's fields of a row.

    Raises:
        ValueError: The row is damaged.
    """
    left_out = {"key", "made_unix_s", _OTHER, *Config.__dataclass_fields__}
    return {name: value for name, value in row.items() if name not in left_out} | dict(json.loads(row[_OTHER]))
