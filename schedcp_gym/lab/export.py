"""Export the store as one flat table: ``config.*`` what was tried, ``result.*`` what it gave."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from schedcp_gym.lab.store import Filter, Stored, TrialStore
from schedcp_gym.spec import BadInput

if TYPE_CHECKING:
    import pandas as pd

#: How the file's name ends, for each format.
FORMATS = (".parquet", ".csv")


def check_file(path: Path) -> None:
    """Check a file's name before any work is done.

    Raises:
        BadInput: Another format, or a folder that is not there.
    """
    if path.suffix not in FORMATS:
        raise BadInput(f"{path}: the name must end in {' or '.join(FORMATS)}")
    if not path.absolute().parent.is_dir():
        raise BadInput(f"there is no folder {path.parent}")


def frame_of(store: TrialStore, which: Filter | None = None) -> "pd.DataFrame":
    """Return a row for each measurement, the newest first.

    Columns without a prefix say what was run and how it ended; ``config.policy`` and ``config.<tunable>`` are the
    policy, ``result.<metric>`` the workload's metrics, ``digest.*`` what the measurement belongs to.
    """
    import pandas as pd

    rows = [_row(entry) for entry in store.each(which)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    groups = [[name for name in names if name.startswith(f"{prefix}.")] for prefix in ("config", "result", "digest")]
    head = [name for name in names if "." not in name]
    table = pd.DataFrame(rows, columns=[*head, *groups[0], *groups[1], *groups[2]])
    return with_kinds(table)


def with_kinds(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return the table with one kind of value in each column.

    A tunable's name may be a number in one policy and a text in another.
    """
    import pandas as pd

    for name in table.columns:
        kinds = {type(value) for value in table[name].dropna()}
        if len(kinds) > 1 and not kinds <= {int, float}:
            table[name] = table[name].map(lambda value: None if pd.isna(value) else str(value))
    return table.convert_dtypes()


def _row(entry: Stored) -> dict[str, Any]:
    config, measured = entry.config, entry.measurement
    row: dict[str, Any] = {
        "trial": measured.trial,
        "made": _moment(entry.made),
        "workload": config.workload,
        "scale": config.scale,
        "workload_seed": config.seed,
        **{name: config.machine.get(name) for name in ("clock", "cpus", "memory_mib")},
        "outcome": measured.outcome.value,
        "message": measured.message.encode(errors="backslashreplace").decode(),
        "config.policy": config.policy,
        "config.source_sha256": config.source or None,
    }
    row |= {f"config.{name}": value for name, value in config.tunables.items()}
    row |= {"result.host_s": measured.timings_s.get("total"), "result.job_s": measured.job_s}
    row |= {"result.utilisation": measured.utilisation, "result.pages_scanned": measured.pages_scanned}
    row |= {f"result.{name}": value for name, value in measured.metrics.items()}
    return row | {f"digest.{name}": value for name, value in measured.digests.items() if name != "trial"}


def _moment(made: float) -> Any:
    import pandas as pd

    return pd.Timestamp(made, unit="s", tz="UTC").round("ms")


def write(store: TrialStore, path: Path, which: Filter | None = None) -> int:
    """Write the table, whole or not at all; return how many rows it has.

    Raises:
        BadInput: The file's name is not allowed.
    """
    check_file(path)
    table = frame_of(store, which)
    part = path.with_name(f".{path.name}.part")
    try:
        if path.suffix == ".csv":
            table.to_csv(part, index=False)
        else:
            table.to_parquet(part, index=False)
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    return len(table)
