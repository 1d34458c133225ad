# SPDX-License-Identifier: Apache-2.0
"""What hackbench is asked to do, and what it prints."""

from dataclasses import dataclass

import tool


@dataclass(frozen=True)
class Shape:
    """What hackbench is asked to do in a round."""

    groups: int
    fds: int
    loops: int
    size: int

    @property
    def messages(self) -> int:
        """Messages in all: each sender sends to each receiver of its group."""
        return self.groups * self.fds * self.fds * self.loops

    def command(self, transport: str) -> list[str]:
        """How it is run. Short options: hackbench 2.60 reads the values of some long ones from the wrong place."""
        command = [
            "hackbench",
            "-g",
            str(self.groups),
            "-f",
            str(self.fds),
            "-l",
            str(self.loops),
            "-s",
            str(self.size),
        ]
        return [*command, "-p"] if transport == "pipe" else command

    def time_s(self, output: str) -> float:
        """The time a round took, as hackbench prints it.

        Raises:
            ToolError: There is none, or hackbench did something else than it was asked to.
        """
        groups, tasks = r"^Running in process mode with (\d+) groups", r"\(== (\d+) tasks\)$"
        loops, size = r"^Each sender will pass (\d+) messages", r"messages of (\d+) bytes$"
        done = tuple(int(tool.number(line, output, "what it does")) for line in (groups, tasks, loops, size))
        wanted = (self.groups, self.groups * self.fds * 2, self.loops, self.size)
        if done != wanted:
            raise tool.ToolError(f"hackbench had groups, tasks, loops and size {done}, not {wanted}")
        return tool.positive(tool.number(r"^Time:\s*(\S+)\s*$", output, "a time"), "hackbench's time")
