"""perf sched: every switch and wake-up recorded, then added up by task. The record stays in the guest."""

import re
import subprocess

RECORD = "/tmp/perf.data"
#: The record lies in the guest's memory.
WATCHED = ["perf", "sched", "record", "-o", RECORD, "--max-size", "96M", "--"]
ROWS = 40

_TASK = re.compile(
    r"^\s+(?P<name>.+?)\s*\|\s*(?P<run>[\d.]+) ms \|\s*(?P<switches>\d+) \|\s*avg:\s*(?P<avg>[\d.]+) ms \|"
    r"\s*max:\s*(?P<max>[\d.]+) ms(?: \|\s*max start:\s*(?P<at>[\d.]+) s)?"
)


def report() -> dict[str, object]:
    """Tasks by their worst wait."""
    command = ["perf", "sched", "latency", "-i", RECORD, "--sort", "max"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    rows = []
    for line in told.stdout.splitlines():
        found = _TASK.match(line)
        if found and not found["name"].startswith("TOTAL"):
            rows.append(
                [found["name"], float(found["max"]), float(found["avg"]), float(found["run"]), int(found["switches"])]
            )
    note = "" if rows else f"perf sched said nothing: {told.stderr.strip()[-200:]}"
    columns = ["task", "worst wait ms", "mean wait ms", "CPU ms", "switches"]
    return {"columns": columns, "rows": rows[:ROWS], "note": note}
