# SPDX-License-Identifier: Apache-2.0
"""Runs `perf bench sched`, messaging or pipe, and prints the metrics."""

import argparse

import tool

#: perf bench sched messaging: as many senders and as many receivers make a group.
PAIRS = 20


def total_s(output: str) -> float:
    """The total time, as perf prints it."""
    return tool.positive(tool.number(r"^\s*Total time:\s*(\S+) \[sec\]\s*$", output, "a total time"), "total time")


def messaging_figures(output: str, groups: int, loops: int) -> dict[str, float]:
    """The metrics of `messaging`: each sender sends `loops` messages to each receiver of its group.

    Raises:
        ToolError: The output lacks the time, or is of another number of processes.
    """
    processes = tool.number(r"^# \d+ groups == (\d+) (?:processes|threads) run\s*$", output, "a number of processes")
    if processes != groups * 2 * PAIRS:
        raise tool.ToolError(f"perf ran {processes:g} processes, not {groups * 2 * PAIRS}")
    makespan_s = total_s(output)
    return {"makespan_s": makespan_s, "messages_per_s": groups * PAIRS * PAIRS * loops / makespan_s}


def pipe_figures(output: str, loops: int) -> dict[str, float]:
    """The metrics of `pipe`: an operation is a message there and its answer.

    Raises:
        ToolError: A figure is missing, or the number of operations is another than was asked for.
    """
    done = tool.number(r"^# Executed (\d+) pipe operations", output, "a number of operations")
    if done != loops:
        raise tool.ToolError(f"{done:g} operations, {loops} were asked for")
    mean_us = tool.positive(tool.number(r"^\s*(\S+) usecs/op\s*$", output, "a mean time"), "a mean time")
    return {"makespan_s": total_s(output), "mean_operation_us": mean_us, "operations_per_s": 1e6 / mean_us}


def _measure() -> dict[str, float]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--benchmark", choices=("messaging", "pipe"), required=True)
    parser.add_argument("--groups", type=int, required=True, help="messaging only")
    parser.add_argument("--loops", type=int, required=True)
    given = parser.parse_args()
    command = ["perf", "bench", "sched", given.benchmark, "-l", str(given.loops)]
    if given.benchmark == "pipe":
        return pipe_figures(tool.run(command), given.loops)
    return messaging_figures(tool.run([*command, "-g", str(given.groups)]), given.groups, given.loops)


if __name__ == "__main__":
    tool.main(_measure)
