"""Write a run's results: ``summary.csv``, ``summary.parquet`` and ``best.json``."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from schedcp_gym.bench.frame import table_frame
from schedcp_gym.files import write_whole
from schedcp_gym.run.folder import BEST
from schedcp_gym.run.heldout import HeldOutPair, interval
from schedcp_gym.run.lines import Chosen, Evaluation, Line
from schedcp_gym.run.record import Record

#: Columns of the summary without a prefix.
_HEAD = ("episode", "step", "workload", "scale", "workload_seed", "outcome", "message", "source_sha256")


def best_of(entries: Sequence[Line]) -> Chosen | None:
    """Return the evaluation of the best policy; None if no policy ran to its end.

    It is the one that the agent chose last, or the one with the highest reward (the first, if several are equal). An
    agent chooses with a note ``{"chosen": {"evaluation": number}}``, with numbers from 1, because the verifier may
    reject the policy with the highest reward. ``{"chosen": None}`` means that the verifier accepted none. With such
    notes, the result has a field ``verified``.
    """
    evaluations = [entry for entry in entries if entry["kind"] == "evaluation"]
    chosen = [entry["chosen"] for entry in entries if entry["kind"] == "note" and "chosen" in entry]
    if chosen and chosen[-1]:
        picked = evaluations[chosen[-1]["evaluation"] - 1]
        if picked["outcome"] == "ok":
            return cast("Chosen", {**picked, "verified": True})
    done = [entry for entry in evaluations if entry["outcome"] == "ok"]
    best = max(done, key=lambda entry: float(entry["reward"]), default=None)
    if best is None:
        return None
    return cast("Chosen", {**best, "verified": False} if chosen else best)


def write_summary(record: Record) -> None:
    """Write the table with a row for each evaluation: ``config.*`` are the settings, ``result.*`` the results."""
    table = table_frame([row_of(place, entry) for place, entry in enumerate(record.evaluations)])
    write_whole(record.folder / "summary.csv", table.to_csv(index=False))
    part = record.folder / ".summary.parquet.part"
    table.to_parquet(part, index=False)
    part.rename(record.folder / "summary.parquet")


def row_of(place: int, entry: Evaluation) -> dict[str, Any]:
    """Return an evaluation as a row of the table."""
    measured, plain = entry["measurement"], dict(entry)
    row = {"evaluation": place, **{name: plain[name] for name in _HEAD}, "config.policy": entry["policy"]}
    row |= {f"config.{name}": value for name, value in entry["tunables"].items()}
    row |= {"result.reward": entry["reward"], "result.job_s": measured["job_s"]}
    row |= {"result.utilisation": measured["utilisation"]}
    row |= {f"result.{name}": value for name, value in measured["metrics"].items()}
    return row


def write_best(
    folder: Path, best: Chosen, run_seed: int, pairs: Mapping[str, Sequence[HeldOutPair]], confidence: float
) -> None:
    """Write ``best.json``, which has everything needed to use the best policy or to measure it again."""
    write_whole(folder / BEST, json.dumps(best_fields(best, run_seed, pairs, confidence), indent=2) + "\n")


def best_fields(
    best: Chosen, run_seed: int, pairs: Mapping[str, Sequence[HeldOutPair]], confidence: float
) -> dict[str, Any]:
    """Return the contents of ``best.json``.

    Args:
        best: The evaluation of the best policy.
        run_seed: The seed of the run.
        pairs: Measurements on the held-out seeds by workload: the run's own, and its held-out variants.
        confidence: Confidence of the intervals.
    """
    names = ("policy", "tunables", "source_sha256", "workload", "scale", "workload_seed", "reward")
    plain = dict(best)
    found: dict[str, Any] = {name: plain[name] for name in names}
    found |= {"improvement": math.exp(best["reward"]), "run_seed": run_seed}
    if "verified" in best:
        found["verified"] = best["verified"]
    found |= {"metrics": best["measurement"]["metrics"], "digests": best["measurement"]["digests"]}
    if best["source_sha256"]:
        found["source"] = f"sources/{best['source_sha256']}.bpf.c"
    own = best["workload"]
    if pairs.get(own):
        found["heldout"] = _heldout_fields(pairs[own], confidence)
        variants = {name: _heldout_fields(theirs, confidence) for name, theirs in pairs.items() if name != own}
        if variants:
            found["heldout"]["variants"] = variants
    return found


def _heldout_fields(pairs: Sequence[HeldOutPair], confidence: float) -> dict[str, Any]:
    gained = interval([pair.reward for pair in pairs], confidence)
    return {
        "workload_seeds": [pair.seed for pair in pairs],
        "rewards": [pair.reward for pair in pairs],
        "tunables": [dict(pair.policy.tunables) for pair in pairs],
        "reward": {"mean": gained.mean, "low": gained.low, "high": gained.high},
        "improvement": {name: math.exp(getattr(gained, name)) for name in ("mean", "low", "high")},
    }
