"""A queue has to be made with scx_bpf_create_dsq() before it is used; the kernel ejects a policy that names another.

Queues made in a loop, or under numbers computed at run time, are taken to be all that the policy needs.
"""

from collections.abc import Iterator

from schedcp_gym.control.verifier.source.flow import Flow
from schedcp_gym.control.verifier.source.queues import consumers, creations, inserts, together, uncovered
from schedcp_gym.control.verifier.source.rule import Hit, Rule


def _check(flow: Flow) -> Iterator[Hit]:
    made = together(creations(flow))
    for use in (*inserts(flow), *consumers(flow)):
        for queue in uncovered(use.ids, made):
            yield Hit(use.call.line, f"queue {queue} is used, and never created")


RULE = Rule(
    id="queue-never-created",
    why="the kernel ejects a policy that names a queue which does not exist",
    fix="Create it with scx_bpf_create_dsq(id, -1) in ops.init, which has to be sleepable.",
    check=_check,
)
