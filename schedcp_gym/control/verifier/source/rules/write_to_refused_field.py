"""Of a task's fields a policy may write p->scx.slice, p->scx.dsq_vtime and p->scx.disallow only.

The kernel's verifier refuses all others (tried on 7.3.4). Newer kernels deprecate the first two: they have calls for
it, and the headers fall back to the write on older kernels.
"""

from collections.abc import Iterator

from schedcp_gym.control.verifier.report import Severity
from schedcp_gym.control.verifier.source.flow import Flow
from schedcp_gym.control.verifier.source.model import Node
from schedcp_gym.control.verifier.source.rule import Hit, Rule

_DEPRECATED = {"slice": "scx_bpf_task_set_slice", "dsq_vtime": "scx_bpf_task_set_dsq_vtime"}
_KERNEL = {f"struct {s} *" for s in ("task_struct", "rq", "cgroup", "scx_exit_info")} | {"const struct task_struct *"}


def _check(flow: Flow) -> Iterator[Hit]:
    for node in flow.program.own_nodes:
        field = node.target
        if field is None or field.kind != "Member" or _root(field) not in _KERNEL:
            continue
        of_scx = field.value == ["field", "sched_ext_entity"]
        if of_scx and field.name in _DEPRECATED:
            call = _DEPRECATED[field.name]
            what = f"p->scx.{field.name} is written directly, which newer kernels deprecate for {call}()"
            yield Hit(node.line, what, Severity.WARNING)
        elif not (of_scx and field.name == "disallow"):
            yield Hit(node.line, f"the kernel's field {field.name} is written")


def _root(node: Node) -> str:
    """Return the type of the pointer that a chain of members begins with."""
    while node.kind in ("Member", "Subscript") and node.children:
        node = node.children[0]
    return node.type


RULE = Rule(
    id="write-to-refused-field",
    why="the kernel's verifier refuses writes to its own fields",
    fix="Use scx_bpf_task_set_slice() and scx_bpf_task_set_dsq_vtime(); keep data of your own in task storage.",
    check=_check,
)
