"""Figures that follow from all cases together: what the loader counted, and the longest wait anywhere."""

from collections.abc import Sequence

from schedcp_gym.control.verifier.behaviour.battery_job import Ran

#: The kernel's, for a policy that names none.
DEFAULT_TIMEOUT_MS = 30_000


def derive(ran: Sequence[Ran]) -> dict[str, float]:
    """The figures by name; events by the kernel's names, those that did not occur as 0 (see ``Events``)."""
    longest_ms = max(
        (value for one in ran for values in one.figures.values() for name, value in values.items() if name == WAIT),
        default=0.0,
    )
    timeout_ms = max(one.timeout_ms for one in ran) or DEFAULT_TIMEOUT_MS
    figures = {
        "watchdog_margin": 1 - longest_ms / timeout_ms,
        "table_entries_left": float(max(one.entries for one in ran)),
    }
    figures |= {name: float(sum(one.events.get(event, 0) for one in ran)) for name, event in EVENTS.items()}
    return figures


WAIT = "longest_wait_ms"
#: Event counters that tell of a mistake, with a figure's name for each.
EVENTS = {
    "wrong_cpus_selected": "SCX_EV_SELECT_CPU_FALLBACK",
    "not_owned_inserted": "SCX_EV_INSERT_NOT_OWNED",
    "local_dispatches_to_offline_cpu": "SCX_EV_DISPATCH_LOCAL_DSQ_OFFLINE",
}
