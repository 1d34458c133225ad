"""Runs' folders as one pandas table."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from schedcp_gym.lab.store.export import with_kinds
from schedcp_gym.llm.lines import read_lines
from schedcp_gym.run.summary import row_of
from schedcp_gym.spec import BadInput, SchedcpError
from schedcp_gym.spec.objective import REWARD_LIMIT

if TYPE_CHECKING:
    import pandas as pd


def load_results(path: Path) -> "pd.DataFrame":
    """A row for each evaluation of the runs in a folder; see :func:`schedcp_gym.load_results`."""
    import pandas as pd

    folders = run_folders(path)
    rows = [row for folder in folders for row in _rows(path, folder)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    groups = [sorted(name for name in names if name.startswith(prefix)) for prefix in ("config.", "result.")]
    head = [name for name in names if not name.startswith(("config.", "result."))]
    return with_kinds(pd.DataFrame(rows, columns=[*head, *groups[0], *groups[1]]))


def run_folders(path: Path) -> list[Path]:
    """The runs in a folder, or the run it is itself.

    Raises:
        BadInput: There is none.
    """
    folders = sorted({found.parent for found in path.rglob("record.jsonl") if (found.parent / "config.yaml").is_file()})
    if not folders:
        raise BadInput(f"there is no run in {path}: give a run's folder, or one that holds some, like runs/")
    return folders


def _rows(path: Path, folder: Path) -> list[dict[str, Any]]:
    try:
        config = yaml.safe_load((folder / "config.yaml").read_text())
        head = {
            "run": folder.relative_to(path).as_posix() if folder != path else folder.resolve().name,
            "agent": config["run"]["agent"],
            "seed": config["seed"],
            "llm": config.get("llm", {}).get("model"),
        }
        entries = read_lines(folder / "record.jsonl")
        evaluations = [entry for entry in entries if entry["kind"] == "evaluation"]
        head["final_reward"], head["variant_reward"] = final_rewards(folder, has_variants=has_variants(config))
        return [{**head, **row_of(place, entry)} for place, entry in enumerate(evaluations)]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise SchedcpError(f"{folder}: config.yaml, record.jsonl or best.json is damaged: {error}") from None


def has_variants(config: Mapping[str, Any]) -> bool:
    """Whether the workload of a run has held-out variants in it."""
    heldout = config.get("heldout") or {}
    return bool((heldout.get("variants") or {}).get((config.get("workload") or {}).get("name")))


def final_rewards(folder: Path, *, has_variants: bool) -> tuple[float | None, float | None]:
    """A run's score, and that on its held-out variants.

    Means over the held-out seeds; the worst if no policy ran to its end, on variants, too; None if the run has not
    ended, or has no variants.
    """
    best, summary = folder / "best.json", folder / "summary.json"
    if best.is_file():
        heldout = json.loads(best.read_text()).get("heldout", {})
        variants = [reward for one in heldout.get("variants", {}).values() for reward in one["rewards"]]
        return _mean(heldout.get("rewards")), _mean(variants)
    if summary.is_file():
        course = json.loads(summary.read_text())
        if course["ok"] == 0 and course["ended_by"] != "interrupted":
            return -REWARD_LIMIT, -REWARD_LIMIT if has_variants else None
    return None, None


def _mean(values: list[float] | None) -> float | None:
    return math.fsum(values) / len(values) if values else None
