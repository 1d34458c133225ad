"""timeout_ms is how long a runnable task may wait before the watchdog ejects the policy.

The most is 30000, which is also the default. With 1000 or less, the kernel ejects policies under loads that it is
itself busy to rescue.
"""

from collections.abc import Iterator

from schedcp_gym.control.verifier.source.flow import Flow, Frame
from schedcp_gym.control.verifier.source.rule import Hit, Rule

_MOST_MS, _LEAST_MS = 30_000, 1_000


def _check(flow: Flow) -> Iterator[Hit]:
    field = flow.program.field("timeout_ms")
    if field is None or not flow.program.functions:
        return
    value = flow.value(field, Frame(next(iter(flow.program.functions.values())), {}))
    for timeout_ms in sorted(value.known) if value.constant else ():
        if timeout_ms > _MOST_MS:
            yield Hit(field.line, f"timeout_ms is {timeout_ms}, and {_MOST_MS} is the most")
        elif 0 < timeout_ms <= _LEAST_MS:
            yield Hit(field.line, f"timeout_ms is {timeout_ms}, and more than {_LEAST_MS} is needed")


RULE = Rule(
    id="timeout-out-of-bounds",
    why="the kernel refuses a longer one, and with a shorter one it ejects policies that did nothing wrong",
    fix="Leave timeout_ms out, or set it between 2000 and 30000.",
    check=_check,
)
