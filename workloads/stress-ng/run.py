# SPDX-License-Identifier: Apache-2.0
"""Runs a mix of stress-ng's stressors, all at once, each to a fixed number of bogo operations; prints the metrics."""

import argparse
import math
import random
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import stressor
import tool

_OPTIONS = {"cpu": ["--cpu-method", "int64"], "fork": ["--fork-max", "1"]}


@dataclass(frozen=True)
class Part:
    """One stressor of the mix: how many processes of it, and operations in all."""

    name: str
    instances: int
    operations: int

    @classmethod
    def of(cls, text: str) -> "Part":
        """Reads ``name:instances:operations``."""
        name, instances, operations = text.split(":")
        return cls(name, int(instances), int(operations))

    def command(self, seed: int, report: Path) -> list[str]:
        """How it is run. Each is a stress-ng of its own: in one, some stressors' ends end others too soon."""
        kind = f"--{self.name}"
        command = ["stress-ng", kind, str(self.instances), f"{kind}-ops", str(self.operations)]
        return [*command, *_OPTIONS.get(self.name, []), "--seed", str(seed), "--metrics", "--yaml", str(report)]


def figures(results: list[stressor.Result], makespan_s: float) -> dict[str, float]:
    """The metrics of a whole run."""
    rates = [result.operations / result.wall_s for result in results]
    return {
        "makespan_s": makespan_s,
        "mean_completion_s": sum(result.wall_s for result in results) / len(results),
        "bogo_ops_per_s": math.exp(sum(map(math.log, rates)) / len(rates)),
    }


def _measure() -> dict[str, float]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--mix", required=True, help="name:instances:operations, by commas")
    given = parser.parse_args()
    parts = [Part.of(text) for text in given.mix.split(",")]
    random.Random(given.seed).shuffle(parts)
    with tempfile.TemporaryDirectory() as folder:
        reports = [Path(folder, f"{part.name}.yaml") for part in parts]
        commands = [part.command(given.seed, report) for part, report in zip(parts, reports, strict=True)]
        start_s = time.monotonic()
        # A session each: what a stressor signals is its own group.
        running = [
            subprocess.Popen(
                command,
                cwd=folder,
                start_new_session=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            for command in commands
        ]
        said = [process.communicate()[1] for process in running]
        makespan_s = time.monotonic() - start_s
        for command, process, text in zip(commands, running, said, strict=True):
            if process.returncode:
                raise tool.ToolError(tool.failure(command, process.returncode, text))
        results = [
            stressor.read_result(report.read_text(), part.name, part.operations)
            for part, report in zip(parts, reports, strict=True)
        ]
    return figures(results, makespan_s)


if __name__ == "__main__":
    tool.main(_measure)
