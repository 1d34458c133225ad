"""Read the results of runs into one pandas table."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schedcp_gym.bench.frame import table_frame
from schedcp_gym.run.course import INTERRUPTED
from schedcp_gym.run.folder import BEST, CONFIG, RECORD, RunFolder, find_runs
from schedcp_gym.run.summary import row_of
from schedcp_gym.spec import SchedcpError
from schedcp_gym.spec.objective import REWARD_LIMIT

if TYPE_CHECKING:
    import pandas as pd


def load_results(path: Path) -> "pd.DataFrame":
    """Return a row for each evaluation of the runs in a folder; see :func:`schedcp_gym.load_results`."""
    return table_frame([row for run in find_runs(path) for row in _rows(path, run)])


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
    """Return a run's score, and its score on the held-out variants: mean rewards over the held-out seeds.

    They are the lowest possible if no policy ran to its end, and None if the run has not ended. The second is also None
    if the run has no variants.
    """
    if run.best is not None:
        heldout = run.best.get("heldout", {})
        variants = [reward for one in heldout.get("variants", {}).values() for reward in one["rewards"]]
        return _mean(heldout.get("rewards")), _mean(variants)
    if run.summary is not None and run.summary["ok"] == 0 and run.summary["ended_by"] != INTERRUPTED:
        return -REWARD_LIMIT, -REWARD_LIMIT if _has_variants(run.config) else None
    return None, None


def _has_variants(config: Mapping[str, Any]) -> bool:
    """Return whether the configuration of a run has held-out variants of its workload."""
    variants = (config.get("heldout") or {}).get("variants") or {}
    return bool(variants.get(config["workload"]["name"]))


def _mean(values: list[float] | None) -> float | None:
    return math.fsum(values) / len(values) if values else None
