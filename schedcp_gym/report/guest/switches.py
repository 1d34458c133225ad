"""Every switch of a CPU from one task to another, recorded by perf. Guest side, run by ``watch_tool.py``."""

import re
import subprocess
from pathlib import Path

RECORD = "/tmp/perf.data"
SWITCHES = Path("/result/switches.tsv")
#: The record lies in the guest's memory.
WATCHED = [
    *("perf", "record", "-q", "-a", "-c", "1", "-e", "sched:sched_switch"),
    *("-o", RECORD, "--max-size", "96M", "-N", "-B", "--"),
]
_LINE = re.compile(r"^\s*\[(\d+)\]\s+([\d.]+):\s+(.*)$")
#: As the kernel prints the event, or as perf's own reader of it does.
_TO = (re.compile(r"next_comm=(.*) next_pid=(\d+)"), re.compile(r"==> (.*):(\d+) \["))


def report() -> dict[str, object]:
    """Writes the switches: CPU, microseconds, process id and name of who got the CPU; says how many there are."""
    command = ["perf", "script", "-i", RECORD, "--ns", "-F", "cpu,time,trace"]
    count = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as told:
        assert told.stdout is not None
        assert told.stderr is not None
        with SWITCHES.open("w") as file:
            for line in told.stdout:
                head = _LINE.match(line)
                to = head and next((found for form in _TO if (found := form.search(head[3]))), None)
                if head and to:
                    file.write(f"{int(head[1])}\t{float(head[2]) * 1e6:.3f}\t{to[2]}\t{to[1]}\n")
                    count += 1
        error = told.stderr.read().strip()[-300:]
    return {"columns": ["switches"], "rows": [[count]], "note": "" if count else f"perf said: {error}"}
