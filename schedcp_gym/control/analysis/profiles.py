"""Tier 2: measure profiles: histograms from the guest's kernel (BCC), and tables of perf."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from schedcp_gym.control.analysis import guest_job, histogram
from schedcp_gym.control.analysis.guest_job import Watched, printable
from schedcp_gym.control.analysis.program import Probe, assemble, choose, offsets, probe_digest, tracepoints
from schedcp_gym.control.analysis.report import Analysis, Tier
from schedcp_gym.lab import Lab
from schedcp_gym.llm import tokens
from schedcp_gym.spec import SchedcpError, Trial

#: Rows of a tool's table in the text, and in the data.
ROWS, DATA_ROWS = 12, 200
#: Most characters of a tool's cell.
CELL = 40


def profile(lab: Lab, trial: Trial, names: tuple[str, ...] = ()) -> Analysis:
    """Run a workload under probes, and return what they measured.

    All BCC probes share one run and one compilation; each tool has a run of its own. On the virtual clock the answer is
    a pure function of the trial and :func:`~schedcp_gym.control.analysis.program.probe_digest`.

    ``data`` is ``{"profiles": {name: {"title", "says", "reading", "unit", "keyed_by", "by": {process name: {"buckets":
    [[low, high, count], …], "count", "p50", "p99", "total", "max"}}}}, "runs": {watcher: {"outcome", "metrics",
    "fault", "host_s", "guest_s"}}}``. A tool's profile has ``columns`` and ``rows`` instead, and an empty ``by``.
    ``metrics`` are those of the watched run; compare them with a normal run's to see the overhead.

    Args:
        lab: The lab, for its machine and compiler.
        trial: The trial to run, under EEVDF or any policy.
        names: Names of profiles; empty: the default ones.

    Raises:
        BadInput: A profile does not exist, or the policy does not compile.
        SchedcpError: The host failed, or the probes could not be loaded.
    """
    chosen = choose(tuple(names))
    in_kernel = [probe for probe in chosen if probe.is_bcc]
    groups = [*([in_kernel] if in_kernel else []), *([probe] for probe in chosen if not probe.is_bcc)]
    with ThreadPoolExecutor(max(1, min(lab.workers, len(groups)))) as pool:
        watched = list(pool.map(lambda group: _watch(lab, trial, group), groups))
    profiles: dict[str, Any] = {}
    runs: dict[str, Any] = {}
    for group, run in zip(groups, watched, strict=True):
        profiles |= _results(group, run)
        runs["bcc" if group[0].is_bcc else group[0].name] = run.about()
    faults = dict.fromkeys(f"the run failed ({run['fault']})" for run in runs.values() if run["fault"])
    text = "\n".join([*faults, *_text(profiles)])
    return Analysis(
        tier=Tier.PROFILE,
        name="+".join(profiles),
        workload=trial.workload.name,
        text=text,
        data={"profiles": profiles, "runs": runs},
        tokens=tokens.count(text),
        guest_s=sum(run.result.job_s or 0.0 for run in watched),
        digests={**watched[0].measurement.digests, "probe": probe_digest(tuple(names))},
    )


def _watch(lab: Lab, trial: Trial, group: list[Probe]) -> Watched:
    if not group[0].is_bcc:
        return guest_job.watch(lab, trial, "watch_tool.py", {"tool.py": group[0].source.encode()})
    source = assemble(group, offsets(lab.image(trial.machine.kernel)))
    program = {"tracepoints": tracepoints(group), "probes": [probe.name for probe in group]}
    files = {"program.c": source.encode(), "program.json": json.dumps(program).encode()}
    return guest_job.watch(lab, trial, "watch_bcc.py", files)


def _results(group: list[Probe], run: Watched) -> dict[str, Any]:
    """Return the data of a run's profiles by name.

    Raises:
        SchedcpError: The watcher wrote no result, or an invalid one.
    """
    found = run.json("histograms.json" if group[0].is_bcc else "tool.json")
    if found is None:
        lines = [line for line in run.result.text("watch.err").strip().splitlines() if line.strip()]
        error = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "")
        why = guest_job.ending(run) or printable(error) or guest_job.fault(run)
        raise SchedcpError(f"profile {group[0].name}: {why[:300]}")
    about = ("title", "says", "reading", "unit", "keyed_by")
    try:
        return {
            probe.name: {name: getattr(probe, name) for name in about}
            | (_histograms(found["histograms"][probe.name]) if probe.is_bcc else _table(found))
            for probe in group
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise SchedcpError(f"the result of {group[0].name} can't be read: {type(error).__name__} {error}") from None


def _histograms(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "by": {
            printable(name): histogram.from_slots(entry["slots"], entry["total"], entry["max"])
            for name, entry in sorted(found.items())
        }
    }


def _table(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "by": {},
        "columns": [printable(str(name))[:CELL] for name in found["columns"]],
        "rows": [[_cell(value) for value in row] for row in found["rows"][:DATA_ROWS]],
        "note": printable(str(found.get("note", ""))),
    }


def _cell(value: object) -> float | str | None:
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    return printable(str(value))[:CELL]


def _text(profiles: dict[str, Any]) -> list[str]:
    """Return the lines of all profiles, the shortest profile first."""
    blocks = sorted((_block(name, found) for name, found in profiles.items()), key=lambda lines: sum(map(len, lines)))
    lines = [line for block in blocks for line in block]
    return [*lines, histogram.LEGEND] if any(found["by"] for found in profiles.values()) else lines


def _block(name: str, found: dict[str, Any]) -> list[str]:
    if "rows" in found:
        rows = [", ".join(_shown(value) for value in row) for row in found["rows"][:ROWS]]
        left = len(found["rows"]) - ROWS
        more = [f"({left} more)"] if left > 0 else []
        return [f"{name}: {', '.join(found['columns'])}", *rows, *more, *filter(None, [found["note"]])]
    if not found["by"]:
        return [f"{name}: no events"]
    return [f"{name}, {found['unit']}, by {found['keyed_by']}. {found['says']}", *histogram.lines(found["by"])]


def _shown(value: object) -> str:
    return histogram.short(value) if isinstance(value, float) else str(value)
