# SPDX-License-Identifier: Apache-2.0
"""Runs hackbench in rounds of different message sizes, and prints the metrics."""

import argparse

import tool
from hackbench import Shape


def figures(times_s: list[float], messages: int) -> dict[str, float]:
    """The metrics of all rounds."""
    makespan_s = sum(times_s)
    return {"makespan_s": makespan_s, "messages_per_s": messages / makespan_s}


def _measure() -> dict[str, float]:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("groups", "fds", "loops", "bytes", "rounds", "seed"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--transport", choices=("socket", "pipe"), required=True)
    given = parser.parse_args()
    sizes = tool.spread(given.seed, given.bytes, given.bytes // 2, given.rounds)
    rounds = [Shape(given.groups, given.fds, given.loops, size) for size in sizes]
    times_s = [shape.time_s(tool.run(shape.command(given.transport))) for shape in rounds]
    return figures(times_s, sum(shape.messages for shape in rounds))


if __name__ == "__main__":
    tool.main(_measure)
