"""Read and write ``entry.json``: the manifest with an entry's results and the digests of its files.

An entry also has a file with the records of its runs. The sources of all entries' policies are in the folder
``policies/`` beside the entries, by their digests.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schedcp_gym.bench.comparison import Figures, Score, compare_scores
from schedcp_gym.files import write_whole
from schedcp_gym.leaderboard.agent_code import AGENT, code_digest, commit_of, read_code
from schedcp_gym.leaderboard.command import command, family_of
from schedcp_gym.run.course import times
from schedcp_gym.run.folder import RunFolder, open_entry
from schedcp_gym.run.record import COMMON_DIGESTS
from schedcp_gym.run.scores import read_score
from schedcp_gym.run.summary import best_of
from schedcp_gym.spec import BadInput, SchedcpError
from schedcp_gym.spec.digest import digest

MANIFEST = "entry.json"
#: Version of an entry's files. It changes when their contents or those of ``entry.json`` change.
FORMAT = 2
#: Keys of the manifest that are not derived from the runs.
_FREE = ("format", "submitted", "files", "digest")
CONFIDENCE = 0.95


def read_manifest(entry: Path) -> dict[str, Any]:
    """Return the contents of an entry's ``entry.json``.

    Raises:
        BadInput: There is no such file.
        SchedcpError: It is damaged.
    """
    path = entry / MANIFEST
    if not path.is_file():
        raise BadInput(f"{entry} is not an entry: it has no {MANIFEST}")
    try:
        manifest = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise SchedcpError(f"{path} is damaged: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise SchedcpError(f"{path} is damaged, or its format is not {FORMAT}")
    if wrong := [key for key in ("files", "submitted") if not isinstance(manifest.get(key), dict)]:
        raise SchedcpError(f"{path} is damaged: {wrong[0]} must be an object")
    return manifest


def read_runs(entry: Path) -> list[RunFolder]:
    """Return the runs in an entry. Messages name them ``runs/NAME``.

    Raises:
        OSError: There is no file of runs.
        ValueError: It is damaged.
    """
    return open_entry(entry, Path())


def seal(entry: Path, submitted: dict[str, Any]) -> dict[str, Any]:
    """Write ``entry.json``: the results of the runs, the submitter, and the digests of all files.

    Raises:
        SchedcpError: A run is damaged or incomplete.
    """
    runs = read_runs(entry)
    agent = claimed_agent(entry, runs)
    body = {"format": FORMAT, "submitted": submitted, **derived(runs, agent), "files": file_digests(entry)}
    manifest = {**body, "digest": manifest_digest(body)}
    write_whole(entry / MANIFEST, json.dumps(manifest, indent=1) + "\n")
    return manifest


def claimed_agent(entry: Path, runs: Sequence[RunFolder]) -> dict[str, str | None]:
    """Return digest and commit of the agent's code; the commit is None if the entry contains the code."""
    if (entry / AGENT).is_dir() or not runs:
        return {"sha256": agent_digest(entry), "commit": None}
    sha256 = code_digest(read_code(runs[0].target))
    return {"sha256": sha256, "commit": commit_of(runs[0].target, sha256)}


def manifest_digest(manifest: dict[str, Any]) -> str:
    """Return the SHA-256 (hex) of an ``entry.json`` without its own digest."""
    return digest({key: value for key, value in manifest.items() if key != "digest"})


def is_derived(key: str) -> bool:
    """Return whether a key of ``entry.json`` is derived from the runs."""
    return key not in _FREE


def entry_files(entry: Path, part: str = "") -> dict[str, bytes]:
    """Return the files of an entry, or of one of its folders, by their paths, without ``entry.json``."""
    paths = sorted(path for path in (entry / part).rglob("*") if path.is_file() and path != entry / MANIFEST)
    return {path.relative_to(entry).as_posix(): path.read_bytes() for path in paths}


def file_digests(entry: Path) -> dict[str, str]:
    """Return the SHA-256 (hex) of each file except ``entry.json``, by its path in the entry."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in entry_files(entry).items()}


def agent_digest(entry: Path) -> str:
    """Return the SHA-256 (hex) of the agent's code in an entry."""
    return code_digest(entry_files(entry, AGENT))


def derived(runs: Sequence[RunFolder], agent: dict[str, str | None]) -> dict[str, Any]:
    """Return the part of ``entry.json`` that is derived from the runs.

    Args:
        runs: The runs.
        agent: Digest and commit of the agent's code.

    Raises:
        SchedcpError: There are no runs, one has not ended, or one is damaged.
    """
    if not runs:
        raise SchedcpError("it has no runs")
    scores = [_score(run) for run in runs]
    first = runs[0]
    model = (first.summary or {}).get("model")
    agents = {score.agent for score in scores}
    if len(agents) > 1 or len({run.agent for run in runs}) > 1:
        raise SchedcpError(f"its runs belong to several agents: {', '.join(sorted(agents))}")
    figures = compare_scores(scores, {}, confidence=CONFIDENCE).figures[0]
    return {
        "agent": {
            "name": first.agent,
            "label": scores[0].agent,
            "family": family_of(first.target),
            "target": first.target,
            **agent,
        },
        "model": model,
        "suite": first.suite,
        "scale": first.settings.scale.value,
        "clock": first.settings.machine.clock.value,
        "budget": {name: value for name, value in first.config["budget"].items() if value is not None},
        "digests": common_digests(runs),
        "policies": policies_of(runs),
        "command": command(runs, asks_model=bool(model)),
        **_figures(figures, scores),
        "runs": [_run(run, score) for run, score in zip(runs, scores, strict=True)],
    }


def policies_of(runs: Sequence[RunFolder]) -> list[str]:
    """Return the SHA-256 of the source of each policy that was measured, in order."""
    return sorted({sha256 for run in runs for _name, line in run.trials if (sha256 := line["source_sha256"])})


def common_digests(runs: Sequence[RunFolder]) -> dict[str, list[str]]:
    """Return the digests of image, QEMU and so on that were used: one value each, except for workloads."""
    found: dict[str, set[str]] = {}
    for run in runs:
        for _name, line in run.trials:
            for name in (*COMMON_DIGESTS, "kernel"):
                if value := line["measurement"]["digests"].get(name):
                    found.setdefault(name, set()).add(value)
    return {name: sorted(values) for name, values in found.items()}


def _score(run: RunFolder) -> Score:
    score = read_score(run)
    if score is None:
        raise SchedcpError(f"{run.where} has not ended: the command that started it continues it")
    return score


def _run(run: RunFolder, score: Score) -> dict[str, Any]:
    best = best_of(run.record)
    chosen = best and {"policy": best["policy"], "tunables": best["tunables"], "source_sha256": best["source_sha256"]}
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
