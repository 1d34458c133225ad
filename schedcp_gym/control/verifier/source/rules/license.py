"""The kernel's functions for schedulers are open only to programs under the GPL, so the object has to declare it."""

from collections.abc import Iterator

from schedcp_gym.control.verifier.source.flow import Flow
from schedcp_gym.control.verifier.source.rule import Hit, Rule


def _check(flow: Flow) -> Iterator[Hit]:
    if not any(section.name == "license" for section in flow.program.sections):
        yield Hit(None, "the object has no license section")
        return
    texts = [str(node.value) for variable in flow.program.variables.values() for node in variable.children]
    if not any(text.startswith(("GPL", "Dual ")) for text in texts):
        yield Hit(None, "the license is not the GPL")


RULE = Rule(
    id="license-missing",
    why="the kernel refuses to load it",
    fix='char _license[] SEC("license") = "GPL";',
    check=_check,
)
