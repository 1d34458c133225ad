# SPDX-License-Identifier: Apache-2.0
"""Runs sysbench's thread test for a fixed number of events, and prints the metrics."""

import argparse
import re

import tool

_BUCKET = re.compile(r"^\s*(\d+\.\d+) \|\**\s+(\d+)\s*$", re.MULTILINE)
_FAIRNESS = re.compile(r"^\s*events \(avg/stddev\):\s*([\d.]+)/([\d.]+)\s*$", re.MULTILINE)


def histogram_ms(output: str) -> dict[float, int]:
    """The histogram of the events' latencies: upper edge in milliseconds → events.

    Raises:
        ToolError: There is none.
    """
    found = {float(value): int(count) for value, count in _BUCKET.findall(output)}
    if not found:
        raise tool.ToolError(f"no histogram in the output: {output.strip()[-200:]!r}")
    return found


def fairness_index(output: str) -> float:
    """Jain's index of the events per thread, from their mean and standard deviation.

    Raises:
        ToolError: The output lacks them.
    """
    found = _FAIRNESS.findall(tool.whole_lines(output))
    if len(found) != 1:
        raise tool.ToolError(f"{len(found)} lines on the threads' fairness, 1 expected")
    mean = tool.positive(float(found[0][0]), "events per thread")
    return 1 / (1 + (float(found[0][1]) / mean) ** 2)


def figures(output: str, events: int) -> dict[str, float]:
    """The metrics, from sysbench's output.

    Raises:
        ToolError: A figure is missing, or the number of events is another than was asked for.
    """
    counts = histogram_ms(output)
    done = tool.number(r"^\s*total number of events:\s*(\d+)\s*$", output, "a number of events")
    if done != events or sum(counts.values()) != events:
        raise tool.ToolError(f"{done:g} events, {sum(counts.values())} in the histogram; {events} were asked for")
    makespan_s = tool.positive(tool.number(r"^\s*total time:\s*([\d.]+)s\s*$", output, "a total time"), "total time")
    return {
        "makespan_s": makespan_s,
        "events_per_s": events / makespan_s,
        "p50_event_us": tool.percentile(counts, 0.5) * 1e3,
        "p95_event_us": tool.percentile(counts, 0.95) * 1e3,
        "p99_event_us": tool.percentile(counts, 0.99) * 1e3,
        "fairness_index": fairness_index(output),
    }


def _measure() -> dict[str, float]:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("threads", "events", "yields", "locks", "seed"):
        parser.add_argument(f"--{name}", type=int, required=True)
    given = parser.parse_args()
    command = ["sysbench", "threads", f"--threads={given.threads}", f"--events={given.events}", "--time=0"]
    command += [f"--thread-yields={given.yields}", f"--thread-locks={given.locks}", "--histogram=on"]
    # sysbench takes the time of day for the seed 0.
    return figures(tool.run([*command, f"--rand-seed={given.seed + 1}", "run"]), given.events)


if __name__ == "__main__":
    tool.main(_measure)
