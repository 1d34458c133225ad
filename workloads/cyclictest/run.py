# SPDX-License-Identifier: Apache-2.0
"""Runs cyclictest as a task of normal policy as long as a load of fixed size lasts; prints the metrics of both."""

import argparse
import json
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import stressor
import tool
from hackbench import Shape

#: The load: as many CPU hogs, or hackbench with such groups.
HOGS = 4
GROUPS, FDS, MESSAGE_BYTES = 1, 5, 100
#: The histogram's last microsecond. What is later still counts as the latest of all.
LAST_US = 50_000
_START_S = 0.005


def latencies_us(report: str, interval_us: int) -> dict[float, int]:
    """Latencies of all expiries of a cyclictest's one thread: microseconds → expiries.

    cyclictest counts one latency a wake-up, and skips the expiries that passed in the meantime. The thread served those
    at the same moment, so their latencies are known: each an interval less. A wake-up beyond the histogram's end is
    entered as the latest one of all.

    Raises:
        ToolError: Not such a report, or not of one thread, or of none that woke.
    """
    try:
        (thread,) = json.loads(report)["thread"].values()
        wakeups = {float(value): int(count) for value, count in thread["histogram"].items()}
        cycles, latest = int(thread["cycles"]), float(thread["max"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise tool.ToolError(f"the report of cyclictest can't be read: {type(error).__name__} {error}") from None
    beyond = cycles - sum(wakeups.values())
    if cycles < 1 or beyond < 0 or min(wakeups.values(), default=0) < 0 or latest <= 0:
        raise tool.ToolError(f"cyclictest: {cycles} wake-ups, {sum(wakeups.values())} of them in the histogram")
    wakeups[latest] = wakeups.get(latest, 0) + beyond
    counts: dict[float, int] = {}
    for value, count in wakeups.items():
        latency_us = value
        while count and latency_us > 0:
            counts[latency_us] = counts.get(latency_us, 0) + count
            latency_us -= interval_us
    return counts


def figures(histograms: Sequence[Mapping[float, int]], load_ops_per_s: float) -> dict[str, float]:
    """The metrics of both: the latencies of all cyclictests as one, and the load's rate."""
    counts: dict[float, int] = {}
    for histogram in histograms:
        for value, count in histogram.items():
            counts[value] = counts.get(value, 0) + count
    return {
        "p50_latency_us": tool.percentile(counts, 0.5),
        "p99_latency_us": tool.percentile(counts, 0.99),
        "max_latency_us": tool.percentile(counts, 1),
        "load_ops_per_s": load_ops_per_s,
    }


def load_command(kind: str, work: int, seed: int, report: Path) -> list[str]:
    """How the load is run."""
    if kind == "messages":
        return Shape(GROUPS, FDS, work, MESSAGE_BYTES).command("socket")
    hogs = ["stress-ng", "--cpu", str(HOGS), "--cpu-ops", str(work), "--cpu-method", "int64"]
    return [*hogs, "--seed", str(seed), "--metrics", "--yaml", str(report)]


def load_ops_per_s(kind: str, work: int, output: str, report: Path) -> float:
    """Operations or messages per second of the load that is over."""
    if kind == "messages":
        shape = Shape(GROUPS, FDS, work, MESSAGE_BYTES)
        return shape.messages / shape.time_s(output)
    result = stressor.read_result(report.read_text(), "cpu", work)
    return result.operations / result.wall_s


def _wait_for_start(load: subprocess.Popen[str], processes: int) -> None:
    """Waits until the load's program has all its processes, or is over."""
    children = Path(f"/proc/{load.pid}/task/{load.pid}/children")
    while load.poll() is None and len(children.read_text().split()) < processes:
        time.sleep(_START_S)


def _start_timers(intervals_us: Sequence[int], reports: Sequence[Path]) -> list[subprocess.Popen[str]]:
    """Starts a cyclictest per interval; each goes on until it is told to end."""
    common = ["cyclictest", "--policy=other", "--threads=1", f"--histogram={LAST_US}", "--quiet"]
    return [
        subprocess.Popen(
            [*common, f"--interval={interval_us}", f"--json={report}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for interval_us, report in zip(intervals_us, reports, strict=True)
    ]


def _end_timers(running: Sequence[subprocess.Popen[str]]) -> None:
    for process in running:
        process.send_signal(signal.SIGINT)
    for process in running:
        said = process.communicate()[1]
        if process.returncode:
            raise tool.ToolError(tool.failure(["cyclictest"], process.returncode, said))


def _measure() -> dict[str, float]:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("work", "seed"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--intervals-us", required=True, help="one per cyclictest, by commas")
    parser.add_argument("--load", choices=("cpu", "messages"), required=True)
    given = parser.parse_args()
    intervals_us = [int(text) for text in given.intervals_us.split(",")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report = folder / "load.yaml"
        reports = [folder / f"cyclictest-{interval_us}.json" for interval_us in intervals_us]
        command = load_command(given.load, given.work, given.seed, report)
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as load:
            _wait_for_start(load, HOGS if given.load == "cpu" else GROUPS * FDS * 2)
            time.sleep(random.Random(given.seed).uniform(0, min(intervals_us) / 1e6))
            timers = _start_timers(intervals_us, reports)
            output = load.communicate()[0]
            _end_timers(timers)
        if load.returncode:
            raise tool.ToolError(tool.failure(command, load.returncode, output))
        histograms = [
            latencies_us(timed.read_text(), interval_us)
            for interval_us, timed in zip(intervals_us, reports, strict=True)
        ]
        return figures(histograms, load_ops_per_s(given.load, given.work, output, report))


if __name__ == "__main__":
    tool.main(_measure)
