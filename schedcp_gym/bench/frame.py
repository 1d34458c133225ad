"""Results as a table for programs: ``config.*`` what was tried, ``result.*`` what it gave."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from schedcp_gym.bench.result import Result
from schedcp_gym.bench.suite import Suite

if TYPE_CHECKING:
    import pandas as pd


def frame_of(suite: Suite, results: Sequence[Result]) -> "pd.DataFrame":
    """A row for each policy, workload and seed.

    Columns without a prefix say what was run and how it ended; ``config.policy`` and ``config.<tunable>`` are the
    policy; ``result.metric``, ``.value``, ``.ratio`` … are the objective's, ``result.<metric>`` those of the workload.
    """
    import pandas as pd

    rows = [_row(suite, result) for result in results]
    names = list(dict.fromkeys(name for row in rows for name in row))
    groups = [[name for name in names if name.startswith(prefix)] for prefix in ("config.", "result.")]
    head = [name for name in names if "." not in name]
    return pd.DataFrame(rows, columns=[*head, *groups[0], *groups[1]]).convert_dtypes()


def records_of(suite: Suite, results: Sequence[Result]) -> list[dict[str, Any]]:
    """The same rows as JSON has them, to the last digit, without what a row has no value for."""
    rows = (_row(suite, result) for result in results)
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def _row(suite: Suite, result: Result) -> dict[str, Any]:
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
    row |= {
        "result.metric": result.metric,
        "result.unit": result.unit,
        "result.value": result.value,
        "result.bound": result.bound,
        "result.possible": result.possible,
        "result.ratio": result.ratio,
        "result.reward": result.reward,
        "result.repeats": result.repeats,
        "result.host_s": result.host_s,
        "result.cached": measured.cached,
        "result.job_s": measured.job_s,
        "result.pages_scanned": measured.pages_scanned,
        "result.utilisation": measured.utilisation,
    }
    return row | {f"result.{name}": value for name, value in measured.metrics.items()}
