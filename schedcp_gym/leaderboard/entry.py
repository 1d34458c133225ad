"""An entry's folder: runs, the agent's code, and ``entry.json``, which says what they come to and seals the files."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schedcp_gym.bench.comparison import Figures, Score, compare_scores
from schedcp_gym.leaderboard.claim import ClaimedRun
from schedcp_gym.leaderboard.command import command, family_of
from schedcp_gym.run.course import times
from schedcp_gym.run.record import COMMON_DIGESTS, write_whole
from schedcp_gym.run.scores import read_score
from schedcp_gym.run.summary import best_of
from schedcp_gym.spec import BadInput, SchedcpError
from schedcp_gym.spec.digest import digest

MANIFEST = "entry.json"
RUNS = "runs"
AGENT = "agent"
#: Raised when ``entry.json`` says something otherwise.
FORMAT = 1
#: Keys of the manifest that do not follow from the runs.
_FREE = ("format", "submitted", "files", "digest")
CONFIDENCE = 0.95


def read_manifest(entry: Path) -> dict[str, Any]:
    """What an entry's ``entry.json`` says.

    Raises:
        BadInput: There is none.
        SchedcpError: It is damaged.
    """
    path = entry / MANIFEST
    if not path.is_file():
        raise BadInput(f"{entry} is no entry: there is no {MANIFEST} in it")
    try:
        manifest = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise SchedcpError(f"{path} is damaged: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise SchedcpError(f"{path} is damaged, or of another version than {FORMAT}")
    if wrong := [key for key in ("files", "submitted") if not isinstance(manifest.get(key), dict)]:
        raise SchedcpError(f"{path} is damaged: {wrong[0]} must be an object")
    return manifest


def run_names(entry: Path) -> list[str]:
    """Names of the folders in an entry's ``runs/``."""
    return sorted(path.name for path in (entry / RUNS).iterdir() if path.is_dir()) if (entry / RUNS).is_dir() else []


def read_runs(entry: Path) -> list[ClaimedRun]:
    """The runs in an entry.

    Raises:
        SchedcpError: A file is damaged; see :class:`ClaimedRun` for what else.
    """
    return [ClaimedRun(entry / RUNS / name, f"{RUNS}/{name}") for name in run_names(entry)]


def seal(entry: Path, submitted: dict[str, Any]) -> dict[str, Any]:
    """Writes ``entry.json``: what follows from the runs, who submitted it, and digests of all files.

    Raises:
        SchedcpError: A run in it is damaged, or not whole.
    """
    body = {"format": FORMAT, "submitted": submitted, **derived(entry, read_runs(entry)), "files": file_digests(entry)}
    manifest = {**body, "digest": manifest_digest(body)}
    write_whole(entry / MANIFEST, json.dumps(manifest, indent=1) + "\n")
    return manifest


def manifest_digest(manifest: dict[str, Any]) -> str:
    """SHA-256 (hex) of an ``entry.json`` without its own digest."""
    return digest({key: value for key, value in manifest.items() if key != "digest"})


def is_derived(key: str) -> bool:
    """Whether a key of ``entry.json`` follows from the runs."""
    return key not in _FREE


def file_digests(entry: Path, part: str = "") -> dict[str, str]:
    """SHA-256 (hex) of each file but ``entry.json``, by its path in the entry; of one folder if named."""
    paths = sorted(path for path in (entry / part).rglob("*") if path.is_file() and path != entry / MANIFEST)
    return {path.relative_to(entry).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def derived(entry: Path, runs: Sequence[ClaimedRun]) -> dict[str, Any]:
    """What an entry's runs come to.

    Raises:
        SchedcpError: There are none, one has not ended, or one is damaged.
    """
    if not runs:
        raise SchedcpError(f"{entry}: there are no runs in it")
    scores = [_score(run) for run in runs]
    first = runs[0]
    model = summary_of(first).get("model")
    agents = {score.agent for score in scores}
    if len(agents) > 1 or len({run.agent for run in runs}) > 1:
        raise SchedcpError(f"{entry}: its runs are of several agents: {', '.join(sorted(agents))}")
    figures = compare_scores(scores, {}, confidence=CONFIDENCE).figures[0]
    return {
        "agent": {
            "name": first.agent,
            "label": scores[0].agent,
            "family": family_of(first.target),
            "target": first.target,
            "sha256": agent_digest(entry),
        },
        "model": model,
        "suite": first.suite,
        "scale": first.settings.scale.value,
        "clock": first.settings.machine.clock.value,
        "budget": {name: value for name, value in first.config["budget"].items() if value is not None},
        "digests": common_digests(runs),
        "command": command(runs, asks_model=bool(model)),
        **_figures(figures, scores),
        "runs": [_run(run, score) for run, score in zip(runs, scores, strict=True)],
    }


def agent_digest(entry: Path) -> str:
    """SHA-256 (hex) of the agent's code in an entry."""
    return digest(file_digests(entry, AGENT))


def common_digests(runs: Sequence[ClaimedRun]) -> dict[str, list[str]]:
    """With what all was measured, by kind: one value each, but for workloads."""
    found: dict[str, set[str]] = {}
    for run in runs:
        for _name, entry in run.lines:
            for name in (*COMMON_DIGESTS, "kernel"):
                if value := entry["measurement"]["digests"].get(name):
                    found.setdefault(name, set()).add(value)
    return {name: sorted(values) for name, values in found.items()}


def summary_of(run: ClaimedRun) -> dict[str, Any]:
    """What a run's ``summary.json`` says."""
    summary: dict[str, Any] = json.loads((run.folder / "summary.json").read_text())
    return summary


def _score(run: ClaimedRun) -> Score:
    score = read_score(run.folder)
    if score is None:
        raise SchedcpError(f"{run.where} has not ended: the command that began it goes on with it")
    return score


def _run(run: ClaimedRun, score: Score) -> dict[str, Any]:
    best = best_of(run.entries)
    chosen = best and {name: best[name] for name in ("policy", "tunables", "source_sha256")}
    return {
        "folder": run.where,
        "workload": run.workload.name,
        "seed": run.settings.seed,
        "score": score.score,
        "improvement": times(score.score),
        "variant_score": score.variant,
        "evaluations": score.evaluations,
        "virtual_s": score.virtual_s,
        "tokens": score.tokens,
        "usd": score.usd,
        "chosen": chosen,
    }


def _figures(figures: Figures, scores: Sequence[Score]) -> dict[str, Any]:
    def ends(value: float) -> float | None:
        return value if value == value else None  # NaN: not known

    usd = [score.usd for score in scores]
    known = [value for value in usd if value is not None]
    return {
        "score": {"iqm": figures.iqm.value, "low": ends(figures.iqm.low), "high": ends(figures.iqm.high)},
        "improvement": times(figures.iqm.value),
        "variant_score": figures.variant_iqm and figures.variant_iqm.value,
        "probability_above_eevdf": figures.above_eevdf.value,
        "gap_to_bound": figures.gap_to_bound and figures.gap_to_bound.value,
        "costs": {
            "evaluations": sum(score.evaluations for score in scores),
            "virtual_s": sum(score.virtual_s for score in scores),
            "tokens": sum(score.tokens for score in scores),
            "usd": sum(known) if len(known) == len(usd) else None,
        },
    }
