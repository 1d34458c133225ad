"""Inline assembler has to be readable as such: a keyword that a macro pastes together hides from the checks made before compiling."""

from collections.abc import Iterator

from schedcp_gym.control.verifier.source.flow import Flow
from schedcp_gym.control.verifier.source.rule import Hit, Rule


def _check(flow: Flow) -> Iterator[Hit]:
    for line in flow.program.strange_assembler:
        yield Hit(line, "a macro pastes the keyword asm together")


RULE = Rule(
    id="hidden-assembler",
    why="the assembler can read the compiler's files and repeat without end",
    fix="Write asm volatile(…) with instructions only, or better, C.",
    check=_check,
)
