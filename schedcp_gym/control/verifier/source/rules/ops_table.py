"""A policy is one table of callbacks: ``SCX_OPS_DEFINE(NAME_ops, .enqueue = …, .name = "NAME")``."""

from collections.abc import Iterator

from schedcp_gym.control.verifier.source.flow import Flow
from schedcp_gym.control.verifier.source.rule import Hit, Rule


def _check(flow: Flow) -> Iterator[Hit]:
    tables = flow.program.tables
    if not tables:
        yield Hit(None, "there is no table of callbacks (struct sched_ext_ops)")
    for table in tables[1:]:
        yield Hit(table.line, "there is a second table of callbacks")


RULE = Rule(
    id="one-ops-table",
    why="a policy is loaded by its only table",
    fix="Declare exactly one with SCX_OPS_DEFINE().",
    check=_check,
)
