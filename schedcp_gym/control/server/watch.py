"""The state of each workload's changes, and notifications when a new analysis may be useful.

A workload's state changes when

- its changes are analysed, and the result (parts of the run, verdict) differs from the last one;
- a measured policy is better than all before, or a deployment is kept, and the last analysis was made under another
  scheduler: a new analysis is *due*, because waits depend on the scheduler;
- its files have changed since the analysis.

All of these follow from calls; nothing runs by itself. A workload runs in a guest for one trial only, so there is
nothing to observe between calls.
"""

import dataclasses
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from schedcp_gym.control.analysis import Analysis
from schedcp_gym.spec import EEVDF
from schedcp_gym.spec.digest import digest

#: Reward by which a policy must be better than the best one before to count.
NEWS = 0.02

Listener = Callable[[str], None]


@dataclass(frozen=True)
class Seen:
    """The last analysis of a workload's changes.

    Attributes:
        policy: The scheduler of the run.
        version: Digest of the workload's files at that time.
        text: The result as text.
        data: ``analyse_anew``, ``changes``, ``parts``.
    """

    policy: str
    version: str
    text: str
    data: dict[str, Any]


@dataclass(frozen=True)
class State:
    """The state of a workload's changes.

    Attributes:
        seen: The last analysis; None before the first.
        best: The best policy measured so far.
        best_reward: Its reward; 0 is EEVDF.
        in_charge: The scheduler after the last deployment.
        due: Why a new analysis is due, by cause; empty if none is.
    """

    seen: Seen | None = None
    best: str = EEVDF
    best_reward: float = 0.0
    in_charge: str = EEVDF
    due: dict[str, str] = field(default_factory=dict)


class Watch:
    """The states of all workloads, and their listeners. Safe to share between threads."""

    def __init__(self) -> None:
        self._states: dict[str, State] = {}
        self._listeners: dict[object, Listener] = {}
        self._lock = threading.Lock()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call a listener with a workload's name when its state changes, in the thread that changed it.

        Returns:
            A function that ends it.
        """
        key = object()
        with self._lock:
            self._listeners[key] = listener

        def end() -> None:
            with self._lock:
                self._listeners.pop(key, None)

        return end

    def analysed(self, workload: str, policy: str, version: str, changes: Analysis) -> None:
        """Note an analysis of a workload's changes."""

        def change(state: State) -> State:
            seen = Seen(policy, version, changes.text, dict(changes.data))
            if state.seen and (policy, digest(seen.data)) == (state.seen.policy, digest(state.seen.data)):
                seen = state.seen if state.seen.version == version else seen
            due = {cause: why for cause, why in state.due.items() if _under(state, cause) != policy}
            return dataclasses.replace(state, seen=seen, due=due)

        self._change(workload, change)

    def measured(self, workload: str, policy: str, reward: float) -> None:
        """Note a measurement."""

        def change(state: State) -> State:
            if reward <= state.best_reward + NEWS:
                return state
            better = dataclasses.replace(state, best=policy, best_reward=reward)
            return _with_due(better, "best", policy, f"{policy} is the best policy so far")

        self._change(workload, change)

    def deployed(self, workload: str, policy: str) -> None:
        """Note that a deployed policy was kept."""

        def change(state: State) -> State:
            return _with_due(
                dataclasses.replace(state, in_charge=policy), "in_charge", policy, f"{policy} is in charge"
            )

        self._change(workload, change)

    def state(self, workload: str, version: str) -> State:
        """Return a workload's state.

        Args:
            workload: Name of the workload.
            version: Digest of its files as they are now.
        """
        with self._lock:
            state = self._states.get(workload, State())
        if state.seen and state.seen.version != version:
            return dataclasses.replace(state, due={**state.due, "files": "its files have changed since"})
        return state

    def _change(self, workload: str, change: Callable[[State], State]) -> None:
        with self._lock:
            before = self._states.get(workload, State())
            after = self._states[workload] = change(before)
            listeners = list(self._listeners.values())
        if after.seen != before.seen or after.due != before.due:
            for listener in listeners:
                listener(workload)


def _under(state: State, cause: str) -> str:
    """Return the scheduler under which an analysis removes a cause."""
    return {"best": state.best, "in_charge": state.in_charge}[cause]


def _with_due(state: State, cause: str, policy: str, what: str) -> State:
    """Return the state with a cause for a new analysis, if the last one was made under another scheduler."""
    if state.seen is None or state.seen.policy == policy:
        return dataclasses.replace(state, due={key: why for key, why in state.due.items() if key != cause})
    why = f"{what}, and the last analysis was made under {state.seen.policy}: workload_changes with policy={policy}"
    return dataclasses.replace(state, due={**state.due, cause: why})
