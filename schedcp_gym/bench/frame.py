"""Return results as a table for programs: ``config.*`` are the settings, ``result.*`` the results."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from schedcp_gym.bench.result import BenchResult
from schedcp_gym.bench.suite import Suite
from schedcp_gym.lab.export import with_kinds

if TYPE_CHECKING:
    import pandas as pd


def frame_of(suite: Suite, results: Sequence[BenchResult]) -> "pd.DataFrame":
    """Return a row for each policy, workload and seed.

    Columns without a prefix are the trial and its outcome; ``config.policy`` and ``config.<tunable>`` are the policy;
    ``result.metric``, ``.value``, ``.ratio`` … belong to the objective, ``result.<metric>`` to the workload.
    """
    return table_frame([_row(suite, result) for result in results])


def table_frame(rows: Sequence[dict[str, Any]]) -> "pd.DataFrame":
    """Return rows as a table. Its columns are ordered: those without a prefix, ``config.*``, then ``result.*``."""
    import pandas as pd

    names = list(dict.fromkeys(name for row in rows for name in row))
    settings = sorted(name for name in names if name.startswith("config."))
    results = [name for name in names if name.startswith("result.")]
    head = [name for name in names if not name.startswith(("config.", "result."))]
    return with_kinds(pd.DataFrame(rows, columns=[*head, *settings, *results]))


def records_of(suite: Suite, results: Sequence[BenchResult]) -> list[dict[str, Any]]:
    """Return the same rows for JSON, without missing values."""
    rows = (_row(suite, result) for result in results)
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def _row(suite: Suite, result: BenchResult) -> dict[str, Any]:
    measured = result.measured
    row: dict[str, Any] = {
        "workload": result.workload.name,
        "scale": suite.scale.value,
        "workload_seed": result.seed,
        "clock": suite.machine.clock.value,
        "cpus": suite.machine.cpus,
        "outcome": measured.outcome.value,
        "message": measured.message,
        "config.policy": result.policy.name,
    }
    row |= {f"config.{name}": value for name, value in result.policy.tunables}
    for source, names in (
        (result, ("metric", "unit", "value", "bound", "possible", "ratio", "reward", "repeats", "host_s")),
        (measured, ("cached", "job_s", "pages_scanned", "utilisation")),
    ):
        row |= {f"result.{name}": getattr(source, name) for name in names}
    return row | {f"result.{name}": value for name, value in measured.metrics.items()}
