"""Figures that follow from all cases together: what the loader counted, and the longest wait anywhere."""

from collections.abc import Sequence

from schedcp_gym.control.verifier.behaviour.battery_job import Ran

#: The kernel's, for a policy that names none.
DEFAULT_TIMEOUT_MS = 30_000


def derive(ran: Sequence[Ran]) -> dict[str, float]:
    """Return the figures by name; an event that did not occur counts as 0."""
    longest_ms = max(
        (value for one in ran for values in one.figures.values() for name, value in values.items() if name == WAIT),
        default=0.0,
    )
    loaders = [one.loader for one in ran if one.loader]

    def most(name: str) -> int:
        return max((loader.get(name, 0) for loader in loaders), default=0)

    figures = {
        "watchdog_margin": 1 - longest_ms / (most("timeout_ms") or DEFAULT_TIMEOUT_MS),
        "takes_all_tasks": float(min((loader.get("takes_all", 0) for loader in loaders), default=1)),
        "memory_mib": most("memory_kib") / 1024,
        "table_entries_left": float(most("entries")),
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
