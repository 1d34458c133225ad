"""The kernel refuses a table without a name; a name has letters, digits, dots and underscores only."""

from collections.abc import Iterator

from schedcp_gym.control.verifier.source.flow import Flow
from schedcp_gym.control.verifier.source.rule import Hit, Rule


def _check(flow: Flow) -> Iterator[Hit]:
    for table in flow.program.tables:
        name = table.fields.get("name")
        if name is None or name.value == "":
            yield Hit(table.line, "the table of callbacks has no name")
        elif name.kind == "String" and not str(name.value).replace("_", "a").replace(".", "a").isalnum():
            yield Hit(name.line, f"{str(name.value)[:40]!r} is not a name that the kernel accepts")


RULE = Rule(
    id="name-missing",
    why="the kernel refuses to load it",
    fix='Set .name = "…" in SCX_OPS_DEFINE(), of letters, digits, dots and underscores.',
    check=_check,
)
