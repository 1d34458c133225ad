"""Tier 2: profiles on request: histograms from the guest's kernel (BCC), and what perf says."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from schedcp_gym.control.analysis import guest_job, histogram
from schedcp_gym.control.analysis.guest_job import Watched
from schedcp_gym.control.analysis.program import Probe, assemble, choose, offsets, probe_digest, tracepoints
from schedcp_gym.control.analysis.report import Analysis, Tier
from schedcp_gym.lab import Lab
from schedcp_gym.llm import tokens
from schedcp_gym.spec import SchedcpError, Trial

#: Rows of a tool's table that are shown.
ROWS = 12
#: Characters of a tool's cell.
CELL = 40


def profile(lab: Lab, trial: Trial, names: tuple[str, ...] = ()) -> Analysis:
    """Profiles a workload's run.

    All probes in BCC share one run, and one compilation; each tool has a run of its own. A pure function of the trial
    and :func:`~schedcp_gym.control.analysis.program.probe_digest` on the virtual clock.

    ``data`` is ``{"profiles": {name: {"title", "says", "reading", "unit", "keyed_by", "by": {process name: {"buckets":
    [[low, high, count], …], "count", "p50", "p99", "total", "max"}}}}, "runs": {what watched: {"outcome", "metrics",
    "fault", "host_s", "guest_s"}}}``; a tool's profile has ``columns`` and ``rows`` instead, and an empty ``by``.
    ``metrics`` are those of the run that was watched: against an unwatched run's they show the overhead.

    Args:
        lab: For machine and compiler.
        trial: What to run; under EEVDF or any policy.
        names: Which profiles; the default set for none.

    Raises:
        BadInput: There is no such profile, or the policy does not compile.
        SchedcpError: The host failed, or the probes could not be loaded.
    """
    began = time.monotonic()
    chosen = choose(tuple(names))
    in_kernel = [probe for probe in chosen if probe.is_bcc]
    groups = [*([in_kernel] if in_kernel else []), *([probe] for probe in chosen if not probe.is_bcc)]
    with ThreadPoolExecutor(max(1, min(lab.workers, len(groups)))) as pool:
        watched = list(pool.map(lambda group: _watch(lab, trial, group), groups))
    profiles: dict[str, Any] = {}
    for group, run in zip(groups, watched, strict=True):
        profiles |= _histograms(group, run) if group[0].is_bcc else {group[0].name: _table(group[0], run)}
    runs = {"bcc" if group[0].is_bcc else group[0].name: run for group, run in zip(groups, watched, strict=True)}
    faults = [f"the run failed ({fault})" for run in watched if (fault := guest_job.fault(run))]
    text = "\n".join([*dict.fromkeys(faults), *_text(profiles)])
    return Analysis(
        tier=Tier.PROFILE,
        name="+".join(profiles),
        workload=trial.workload.name,
        text=text,
        data={"profiles": profiles, "runs": {name: _run_data(run) for name, run in runs.items()}},
        tokens=tokens.count(text),
        host_s=round(time.monotonic() - began, 3),
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


def _run_data(run: Watched) -> dict[str, Any]:
    return {
        "outcome": run.measurement.outcome.value,
        "metrics": dict(run.measurement.metrics),
        "fault": guest_job.fault(run),
        "host_s": round(run.host_s, 3),
        "guest_s": run.result.job_s,
    }


def _about(probe: Probe) -> dict[str, Any]:
    about = ("title", "says", "reading", "unit", "keyed_by")
    return {name: getattr(probe, name) for name in about} | {"by": {}}


def _histograms(group: list[Probe], run: Watched) -> dict[str, Any]:
    found = run.json("histograms.json")
    if found is None:
        raise _no_result(run, group[0].name)
    try:
        return {
            probe.name: _about(probe)
            | {
                "by": {
                    guest_job.printable(name): histogram.from_slots(entry["slots"], entry["total"], entry["max"])
                    for name, entry in sorted(found["histograms"][probe.name].items())
                }
            }
            for probe in group
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise SchedcpError(f"the profile's result can't be read: {type(error).__name__} {error}") from None


def _table(probe: Probe, run: Watched) -> dict[str, Any]:
    found = run.json("tool.json")
    if found is None:
        raise _no_result(run, probe.name)
    try:
        columns = [guest_job.printable(str(name))[:CELL] for name in found["columns"]]
        rows = [[_cell(value) for value in row] for row in found["rows"][:200]]
    except (KeyError, TypeError) as error:
        raise SchedcpError(f"{probe.name}'s result can't be read: {type(error).__name__} {error}") from None
    return _about(probe) | {"columns": columns, "rows": rows, "note": guest_job.printable(str(found.get("note", "")))}


def _cell(value: object) -> float | str | None:
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    return guest_job.printable(str(value))[:CELL]


def _no_result(run: Watched, name: str) -> SchedcpError:
    lines = [line for line in run.result.text("watch.err").strip().splitlines() if line.strip()]
    error = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "")
    why = guest_job.ending(run) or guest_job.printable(error) or guest_job.fault(run)
    return SchedcpError(f"profile {name}: {why[:300]}")


def _text(profiles: dict[str, Any]) -> list[str]:
    """A block for each profile, the shortest first."""
    blocks = sorted((_block(name, found) for name, found in profiles.items()), key=lambda lines: sum(map(len, lines)))
    parts = [line for block in blocks for line in block]
    if any(found["by"] for found in profiles.values()):
        parts.append("(after the figures: % of the counts in each bucket, from a lower bound on, each twice as wide)")
    return parts


def _block(name: str, found: dict[str, Any]) -> list[str]:
    if "rows" in found:
        rows = [", ".join(_told(value) for value in row) for row in found["rows"][:ROWS]]
        left = len(found["rows"]) - ROWS
        more = [f"({left} more)"] if left > 0 else []
        note = [found["note"]] if found["note"] else []
        return [f"{name}: {', '.join(found['columns'])}", *rows, *more, *note]
    if not found["by"]:
        return [f"{name}: nothing happened"]
    return [f"{name}, {found['unit']}, by {found['keyed_by']}. {found['says']}", *histogram.lines(found["by"])]


def _told(value: object) -> str:
    return histogram.short(value) if isinstance(value, float) else str(value)
