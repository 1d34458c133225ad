"""Runs' folders as one pandas table."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schedcp_gym.lab.export import with_kinds
from schedcp_gym.run.course import INTERRUPTED
from schedcp_gym.run.folder import BEST, CONFIG, RECORD, RunFolder, find_runs
from schedcp_gym.run.summary import row_of
from schedcp_gym.spec import SchedcpError
from schedcp_gym.spec.objective import REWARD_LIMIT

if TYPE_CHECKING:
    import pandas as pd


def load_results(path: Path) -> "pd.DataFrame":
    """A row for each evaluation of the runs in a folder; see :func:`schedcp_gym.load_results`."""
    import pandas as pd

    rows = [row for run in find_runs(path) for row in _rows(path, run)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    groups = [sorted(name for name in names if name.startswith(prefix)) for prefix in ("config.", "result.")]
    head = [name for name in names if not name.startswith(("config.", "result."))]
    return with_kinds(pd.DataFrame(rows, columns=[*head, *groups[0], *groups[1]]))


def _rows(path: Path, run: RunFolder) -> list[dict[str, Any]]:
    try:
        head = {
            "run": run.path.relative_to(path).as_posix() if run.path != path else run.path.resolve().name,
            "agent": run.agent,
            "seed": run.config["seed"],
            "llm": run.config.get("llm", {}).get("model"),
        }
        head["final_reward"], head["variant_reward"] = final_rewards(run)
        return [{**head, **row_of(place, line)} for place, line in enumerate(run.evaluations)]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise SchedcpError(f"{run.where}: {CONFIG}, {RECORD} or {BEST} is damaged: {error}") from None


def final_rewards(run: RunFolder) -> tuple[float | None, float | None]:
    """Return a run's score, and that on its held-out variants.

    Means over the held-out seeds; the worst if no policy ran to its end, on variants, too; None if the run has not
    ended, or has no variants.
    """
    if run.best is not None:
        heldout = run.best.get("heldout", {})
        variants = [reward for one in heldout.get("variants", {}).values() for reward in one["rewards"]]
        return _mean(heldout.get("rewards")), _mean(variants)
    if run.summary is not None and run.summary["ok"] == 0 and run.summary["ended_by"] != INTERRUPTED:
        return -REWARD_LIMIT, -REWARD_LIMIT if _has_variants(run.config) else None
    return None, None


def _has_variants(config: Mapping[str, Any]) -> bool:
    """Return whether the workload of a run has held-out variants in it."""
    variants = (config.get("heldout") or {}).get("variants") or {}
    return bool(variants.get(config["workload"]["name"]))


def _mean(values: list[float] | None) -> float | None:
    return math.fsum(values) / len(values) if values else None
