# SPDX-License-Identifier: Apache-2.0
"""Reads the report that stress-ng writes of a stressor."""

import re
from dataclasses import dataclass

import tool


@dataclass(frozen=True)
class Result:
    """What a stressor did: bogo operations in all, in so much time."""

    operations: int
    wall_s: float


def read_result(report: str, name: str, operations: int) -> Result:
    """Reads stress-ng's report (--yaml) of one stressor.

    Args:
        report: The report.
        name: The stressor.
        operations: What it was asked to do in all.

    Raises:
        ToolError: Not a report of this stressor alone, a figure is missing, or it did less or more than asked.
    """
    names = re.findall(r"^\s*- stressor: (\S+)\s*$", report, re.MULTILINE)
    if names != [name]:
        raise tool.ToolError(f"stress-ng's report is of {', '.join(names) or 'nothing'}, not of {name}")
    done = tool.number(r"^\s*bogo-ops: (\S+)\s*$", report, f"operations of {name}")
    if done != operations:
        raise tool.ToolError(f"stress-ng: {name} did {done:g} operations, {operations} were asked for")
    wall_s = tool.number(r"^\s*wall-clock-time: (\S+)\s*$", report, f"a time of {name}")
    return Result(operations, tool.positive(wall_s, f"time of {name}"))
