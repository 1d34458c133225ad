"""Of a task's fields a policy may write p->scx.slice, p->scx.dsq_vtime and p->scx.disallow; the verifier refuses all others.

Newer kernels deprecate the first two: they have calls for it, and the headers fall back to the write on older kernels.
"""

from collections.abc import Iterator

from schedcp_gym.control.verifier.report import Severity
from schedcp_gym.control.verifier.source.flow import Flow
from schedcp_gym.control.verifier.source.model import ASSIGNMENTS, STEPS, Node
from schedcp_gym.control.verifier.source.rule import Hit, Rule

_DEPRECATED = {"slice": "scx_bpf_task_set_slice", "dsq_vtime": "scx_bpf_task_set_dsq_vtime"}
_KERNEL = ("struct task_struct *", "const struct task_struct *", "struct rq *", "struct cgroup *", "struct scx_exit_info *")


def _check(flow: Flow) -> Iterator[Hit]:
    for function in flow.program.functions.values():
        if not function.in_source:
            continue
        for node in function.body.walk():
            written = node.kind == "Binary" and node.name in ASSIGNMENTS or node.kind == "Unary" and node.name in STEPS
            if not written or node.children[0].kind != "Member" or _root(node.children[0]) not in _KERNEL:
                continue
            field = node.children[0]
            of_scx = field.value == ["field", "sched_ext_entity"]
            if of_scx and field.name in _DEPRECATED:
                what = f"p->scx.{field.name} is written directly, which newer kernels deprecate for {_DEPRECATED[field.name]}()"
                yield Hit(node.line, what, Severity.WARNING)
            elif not (of_scx and field.name == "disallow"):
                yield Hit(node.line, f"the kernel's field {field.name} is written")


def _root(node: Node) -> str:
    """The type of the pointer that a chain of members begins with."""
    while node.kind in ("Member", "Subscript") and node.children:
        node = node.children[0]
    return node.type


RULE = Rule(
    id="write-to-refused-field",
    why="the kernel's verifier refuses writes to its own fields",
    fix="Use scx_bpf_task_set_slice() and scx_bpf_task_set_dsq_vtime(); keep data of your own in task storage.",
    check=_check,
)
