"""Tier 2: run a BCC probe that a user or an agent wrote. It is not trusted: it runs in the guest, within limits."""

import dataclasses
import json
import re
from typing import Any

from schedcp_gym.control.analysis import guest_job, histogram
from schedcp_gym.control.analysis.guest_job import RESULT_LIMIT, Watched, printable
from schedcp_gym.control.analysis.program import side_digest
from schedcp_gym.control.analysis.report import Analysis, Tier
from schedcp_gym.control.verifier.kernel import what_matters
from schedcp_gym.lab import Lab
from schedcp_gym.llm import tokens
from schedcp_gym.machine import Ending
from schedcp_gym.spec import BadInput, SchedcpError, Trial
from schedcp_gym.spec.digest import digest

#: Most characters of a source.
SOURCE_LIMIT = 16_384
#: Limits that the guest enforces.
LIMITS = {
    "compile_s": 60,
    "compile_mib": 640,
    "read_s": 30,
    "tables": 16,
    "tables_mib": 32,
    "entries": 4096,
    "rows": 256,
    "printed_lines": 20,
    "result_bytes": 400_000,
}
#: Most guest seconds of the run, if the trial's own limit is not shorter.
RUN_LIMIT_S = 60.0
#: Most host seconds in all. If the kernel hangs in the probe, the guest's clock stops, so guest seconds do not end it.
HOST_LIMIT_S = 600.0
#: Most rows of a table, and most characters, in the text.
ROWS = 12
TEXT_LIMIT = 6000

_HISTOGRAM = re.compile(r"\bBPF_HISTOGRAM\s*\(\s*(\w+)")
_ERROR = re.compile(r"^(?:probe\.c:(\d+):\d+: |\S+: )?(?:fatal )?error: (.+)$", re.MULTILINE)
_TABLE = re.compile(r"could not open bpf map: (.{1,200}?), error: (.+)")
_QUOTED = re.compile(r"\n *\d+ \| (.+)")
_STEP = re.compile(r"\d+: |;|R\d+\S*=|from \d+|(cur|old) state|bpf: Failed|HINT|Suggestion")
_SLOTS = 64


def probe(lab: Lab, trial: Trial, source: str) -> Analysis:
    """Run a workload under a BCC probe, and return what its tables hold.

    Functions attach by BCC's own names (``TRACEPOINT_PROBE(sched, sched_switch)``, ``RAW_TRACEPOINT_PROBE``,
    ``KFUNC_PROBE``, ``kprobe__…``). All tables are returned at the end: ``BPF_HISTOGRAM`` as histograms (if the key is
    a structure with a ``slot``, one histogram for each value of its other fields); ``BPF_HASH``, ``BPF_ARRAY`` and
    similar tables as rows, the largest first. ``IN_WORKLOAD()`` is true in the context of the workload's tasks. On the
    virtual clock the answer is a pure function of the trial and :func:`probe_digest`.

    ``data`` is ``{"tables": {name: {"kind", "rows": [[key, value], …], "left"} or {"kind": "histogram", "by": …}},
    "profiles": {name: {"unit", "by"}} (the histograms, as in :func:`.profiles.profile`), "printed": {"lines",
    "written"}, "run"}``.

    Args:
        lab: The lab, for its machine and compiler.
        trial: The trial to run.
        source: The probe.

    Raises:
        BadInput: The probe does not compile, the kernel refuses it, it attaches to nothing, or it exceeds a limit.
        SchedcpError: The host failed.
    """
    check(source)
    spec = dataclasses.replace(trial.machine, max_job_s=min(trial.max_job_s, RUN_LIMIT_S), max_host_s=HOST_LIMIT_S)
    limited = dataclasses.replace(trial, machine=spec)
    files = {"probe.c": source.encode(), "limits.json": json.dumps(LIMITS).encode()}
    extra = float(LIMITS["compile_s"] + LIMITS["read_s"])
    watched = guest_job.watch(lab, limited, "watch_custom.py", files, extra, host_deadline_speaks=True)
    found = _found(watched, source)
    try:
        tables = {printable(name): _table(name, table, source) for name, table in found["tables"].items()}
        lines = [printable(str(line)) for line in found["printed"]["lines"]]
        printed = {"lines": lines, "written": int(found["printed"]["written"])}
        text = _text(tables, printed, guest_job.fault(watched))
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise SchedcpError(f"the probe's result can't be read: {type(error).__name__} {error}") from None
    histograms = {name: table for name, table in tables.items() if table["kind"] == "histogram"}
    return Analysis(
        tier=Tier.PROFILE,
        name="probe",
        workload=trial.workload.name,
        text=text,
        data={
            "tables": tables,
            "profiles": {name: {"unit": "", "by": table["by"]} for name, table in histograms.items()},
            "printed": printed,
            "run": watched.about(),
        },
        tokens=tokens.count(text),
        guest_s=watched.result.job_s or 0.0,
        digests={**watched.measurement.digests, "trial": trial.digest, "probe": probe_digest(source)},
    )


def probe_digest(source: str) -> str:
    """Return the SHA-256 (hex) of everything that a probe's answer depends on, except the trial and its image."""
    return digest([source, LIMITS, RUN_LIMIT_S, side_digest()])


def check(source: str) -> None:
    """Check a probe before anything is booted.

    Raises:
        BadInput: It is empty, too long, or not a text.
    """
    if len(source) > SOURCE_LIMIT:
        raise BadInput(f"the probe has {len(source)} characters; {SOURCE_LIMIT} are allowed")
    if not source.strip() or "\0" in source:
        raise BadInput("the probe is empty, or not a text: it must be C for BCC")
    try:
        source.encode()
    except UnicodeEncodeError:
        raise BadInput("the probe is not a text: it has characters that UTF-8 can't encode") from None


def _found(watched: Watched, source: str) -> dict[str, Any]:
    """Return what the guest's program wrote.

    Raises:
        BadInput: The probe failed.
        SchedcpError: The workload or the host failed.
    """
    found = watched.json("probe.json") or {}
    stage, stopped, ended = found.get("stage"), guest_job.ending(watched), watched.result.ending
    if "refused" in found:
        raise BadInput(f"the probe is refused: {printable(str(found['refused']))[:300]}")
    if "error" in found:
        raise BadInput(why(watched.result.text("watch.err")[-RESULT_LIMIT:], str(found["error"]), source))
    if stage == "done":
        return found
    if stage == "compile":
        limits = f"{LIMITS['compile_s']} guest seconds and {LIMITS['compile_mib']} MiB"
        reason = f": compiling and loading took more than {limits}"
    elif stage == "read":
        reason = f": its tables were not read in {LIMITS['read_s']} guest seconds"
    elif ended is Ending.HOST_DEADLINE:
        reason = f": {stopped}; it never releases the CPUs, or this host is very busy"
    elif stage == "run" and ended is Ending.DEADLINE:
        limit = f"a run under a probe may take {RUN_LIMIT_S:g} guest seconds"
        reason = f": {limit}; if the workload itself takes longer, use a smaller scale"
    elif stage == "run" or ended is Ending.CRASHED:
        reason = f" while the workload ran under it: {stopped or 'no result'}"
    else:
        error = stopped or printable(watched.result.text("watch.err"))[-300:]
        raise SchedcpError(f"the probe could not be run: {error}")
    raise BadInput(f"the probe was stopped{reason}")


def why(words: str, error: str, source: str = "") -> str:
    """Return why a probe could not be attached, in one or two lines.

    Args:
        words: The output of the compiler and of the kernel's verifier.
        error: BCC's own message.
        source: The probe, to find the line of the compiler's error.
    """
    if compiler := _ERROR.search(words):
        place = f"line {_line(compiler, words, source)}: " if compiler[1] else ""
        return f"the probe does not compile: {place}{printable(compiler[2])[:300]}"
    if table := _TABLE.search(words):
        return f"the probe's table {printable(table[1])[:60]} can't be created: {printable(table[2])[:200]}"
    if "Failed to load" in error or "Verification failed" in words or re.search(r"^processed \d+ insns", words, re.M):
        return f"the kernel refuses the probe ({printable(error)[:120]}):\n{_verdict(words)}"
    return f"the probe can't be attached: {printable(error)[:300]}"


def _line(error: re.Match[str], words: str, source: str) -> str:
    """Return the line of an error in the source: that of the quoted line, because BCC inserts lines of its own."""
    quoted = _QUOTED.match(words, error.end())
    lines = [line.strip() for line in source.splitlines()]
    return str(lines.index(quoted[1].strip()) + 1) if quoted and quoted[1].strip() in lines else error[1]


def _verdict(words: str) -> str:
    """Return the last lines of the kernel verifier's log, without steps and states of registers."""
    log = words.partition("Traceback (most recent call last)")[0]
    if "Verification failed: " in log:
        log = what_matters(log)
    log = re.split(r"^processed \d+ insns", log, flags=re.MULTILINE)[0]
    lines = [printable(line) for line in log.splitlines() if line.strip() and not _STEP.match(line)]
    return " ".join(lines[-2:])[:400] or "no reason was given"


def _table(name: str, table: dict[str, Any], source: str) -> dict[str, Any]:
    kind, rows = str(table["kind"]), [[key, value] for key, value in table["rows"]]
    if name in _HISTOGRAM.findall(source):
        return {"kind": "histogram", "by": _histograms(rows)}
    rows.sort(key=lambda row: -row[1] if isinstance(row[1], (int, float)) else 0)
    return {"kind": kind, "rows": rows, "left": int(table.get("left", 0))}


def _histograms(rows: list[list[Any]]) -> dict[str, dict[str, Any]]:
    """Return the histograms in a table's rows, by the fields of the key other than the slot."""
    slots: dict[str, list[int]] = {}
    for key, count in rows:
        fields = dict(key) if isinstance(key, dict) else {"slot": key}
        slot = int(fields.pop("slot"))
        if 0 <= slot < _SLOTS:
            slots.setdefault(_shown(fields) or "all", [0] * _SLOTS)[slot] += int(count)
    found = {}
    for name, counts in slots.items():
        top = max(number for number, count in enumerate(counts) if count)
        middle = sum(count * (3 << number >> 2) for number, count in enumerate(counts))
        found[name] = histogram.from_slots(counts, middle, 1 << top)
    return found


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(_shown(part) for part in value.values())
    return printable(str(value))[:80]


def _text(tables: dict[str, Any], printed: dict[str, Any], fault: str) -> str:
    blocks: list[list[str]] = [_block(name, table) for name, table in tables.items()]
    if lines := printed["lines"]:
        more = f"; the probe printed {printed['written']}, the rest is cut" if printed["written"] > len(lines) else ""
        blocks.append([f"printed ({len(lines)} lines shown{more}):", *lines])
    blocks.sort(key=lambda lines: sum(map(len, lines)))
    parts = [line for block in blocks for line in block] or ["the probe has no tables and printed nothing"]
    text = "\n".join([*([f"the run failed ({fault})"] if fault else []), *parts])
    return text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]}\n(cut at {TEXT_LIMIT} characters)"


def _block(name: str, table: dict[str, Any]) -> list[str]:
    if table["kind"] == "histogram":
        head = f"{name} {histogram.LEGEND}:"
        return [head, *histogram.lines(table["by"])] if table["by"] else [f"{name}: empty"]
    if table["kind"] == "other":
        return [f"{name}: a table of this type can't be shown"]
    rows = [f"{_shown(key)}: {_shown(value)}" for key, value in table["rows"][:ROWS]]
    left = len(table["rows"]) - len(rows) + table["left"]
    return [f"{name}:" if rows else f"{name}: empty", *rows, *([f"({left} more)"] if left > 0 else [])]
