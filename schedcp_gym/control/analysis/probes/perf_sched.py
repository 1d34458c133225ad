"""Record every switch and wake-up with perf sched, and add them up by task. The record stays in the guest."""

import re
import subprocess

RECORD = "/tmp/perf.data"
#: The record is in the guest's memory, so its size is limited.
WATCHED = ["perf", "sched", "record", "-o", RECORD, "--max-size", "64M", "-N", "-B", "--"]
ROWS = 40

_TIME = r"\s*([\d.]+ [mu]?s) \|"
_TASK = re.compile(rf"^\s+(.+?)\s*\|{_TIME}\s*(\d+) \|{_TIME}{_TIME}")
_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


def report() -> dict[str, object]:
    """Return the tasks, those with the longest wait first."""
    command = ["perf", "sched", "latency", "-p", "-i", RECORD, "--sort", "max"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    rows = []
    for line in told.stdout.splitlines():
        if found := _TASK.match(line):
            name, run, switches, mean, worst = found.groups()
            rows.append([name, ms(worst), ms(mean), ms(run), int(switches)])
    note = "" if rows else f"perf sched printed no tasks: {told.stderr.strip()[-200:]}"
    columns = ["task", "worst wait ms", "mean wait ms", "CPU ms", "switches"]
    return {"columns": columns, "rows": rows[:ROWS], "note": note}


def ms(told: str) -> float:
    """Return the milliseconds in a time that perf printed, such as "12.5 us"."""
    value, unit = told.split()
    return round(float(value) * _MS[unit], 3)
