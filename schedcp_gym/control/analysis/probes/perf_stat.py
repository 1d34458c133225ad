"""Read the kernel's software counters for all of the workload's tasks with perf stat."""

RECORD = "/tmp/perf.stat"
EVENTS = "task-clock,context-switches,cpu-migrations,page-faults,minor-faults,major-faults"
WATCHED = ["perf", "stat", "-x", ";", "-e", EVENTS, "-o", RECORD, "--"]


def report() -> dict[str, object]:
    """Return the counters, and each per second of CPU time."""
    counts = {}
    with open(RECORD) as file:
        for line in file:
            fields = line.strip().split(";")
            if len(fields) > 2 and fields[0][:1].isdigit():
                counts[fields[2]] = float(fields[0])
    cpu_s = counts.pop("task-clock", 0.0) / 1e3
    if cpu_s > 1e5:  # perf from 6.16 on gives nanoseconds with -x
        cpu_s /= 1e6
    rows: list[list[object]] = [["cpu-time-s", round(cpu_s, 6), None]]
    rows += [[name, int(count), round(count / cpu_s, 1) if cpu_s else None] for name, count in counts.items()]
    return {"columns": ["event", "count", "per CPU second"], "rows": rows}
