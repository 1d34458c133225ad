# SPDX-License-Identifier: Apache-2.0
"""What the workloads that run a known tool share: run it, read what it printed, print the metrics."""

import json
import random
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence


class ToolError(Exception):
    """The tool failed, or printed something else than what is read."""


def run(command: Sequence[str]) -> str:
    """Runs a tool to its end.

    Returns:
        Its standard output.

    Raises:
        ToolError: It ended with an error; the text holds the end of what it said.
    """
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise ToolError(failure(command, done.returncode, done.stdout + done.stderr))
    return done.stdout


def failure(command: Sequence[str], status: int, output: str) -> str:
    """One line on a tool that failed."""
    how = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
    return f"{command[0]}: {how}: {' / '.join(output.strip().splitlines()[-3:])[-300:] or 'it said nothing'}"


def whole_lines(output: str) -> str:
    """An output without what follows its last line's end: a line that was cut may hold another number."""
    return output[: output.rfind("\n") + 1]


def number(pattern: str, output: str, what: str) -> float:
    """The number in the first group of a pattern that must occur exactly once, in a whole line.

    Raises:
        ToolError: It occurs never, or more than once: the tool's output is not what it was.
    """
    found = re.findall(pattern, whole_lines(output), re.MULTILINE)
    if len(found) != 1:
        raise ToolError(f"{len(found)} lines with {what} in the output, 1 expected: {output.strip()[-200:]!r}")
    try:
        return float(found[0])
    except ValueError:
        raise ToolError(f"{what} is not a number: {found[0]!r}") from None


def positive(value: float, what: str) -> float:
    """Checks that a figure is above 0: no tool measures nothing in no time.

    Raises:
        ToolError: It is not.
    """
    if not value > 0:
        raise ToolError(f"{what} is {value:g}: must be above 0")
    return value


def percentile(counts: Mapping[float, int], fraction: float) -> float:
    """The least value of a histogram that at least this fraction of its entries do not exceed.

    Raises:
        ToolError: The histogram is empty.
    """
    total = sum(counts.values())
    if total <= 0:
        raise ToolError("the histogram is empty")
    below = 0
    for value in sorted(counts):
        below += counts[value]
        if below >= fraction * total:
            return value
    return max(counts)


def spread(seed: int, mean: int, distance: int, n: int) -> list[int]:
    """N whole numbers around a mean, in an order of the seed's: pairs (mean + d, mean - d), so the sum is n * mean."""
    source = random.Random(seed)
    values = [mean] * (n % 2)
    for _ in range(n // 2):
        away = source.randint(0, distance)
        values += [mean + away, mean - away]
    source.shuffle(values)
    return values


def main(measure: Callable[[], Mapping[str, float]]) -> None:
    """Measures, and prints the metrics as one JSON line; an error is one line and exit status 1."""
    try:
        figures = measure()
    except (ToolError, OSError) as error:
        sys.exit(f"{sys.argv[0]}: {error}")
    print(json.dumps({name: round(value, 6) for name, value in figures.items()}))
