"""Tasks that are put into a queue which nothing empties never run again.

The watchdog then ejects the policy. The queue of every insertion is followed through variables and helpers.
A queue counts as emptied when any part of the policy moves tasks out of it, or walks along it; one whose number is
computed at run time is not judged.
"""

from collections.abc import Iterator

from schedcp_gym.control.verifier.source.flow import Flow
from schedcp_gym.control.verifier.source.queues import consumers, inserts, together, uncovered
from schedcp_gym.control.verifier.source.rule import Hit, Rule


def _check(flow: Flow) -> Iterator[Hit]:
    emptied = together(consumers(flow))
    for use in inserts(flow):
        for queue in uncovered(use.ids, emptied):
            yield Hit(use.call.line, f"queue {queue} gets tasks, and no dispatch path takes any out")


RULE = Rule(
    id="queue-never-consumed",
    why="a task that is put there never runs",
    fix="Call scx_bpf_dsq_move_to_local() for this queue in ops.dispatch, or put the task into a queue that is served.",
    check=_check,
)
