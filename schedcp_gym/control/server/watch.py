"""What changes about a workload while agents work on it: who watches is told when a look at it is worth while.

A workload's state changes when

- its changes are analysed, and the answer (parts of the run, verdict) is another than the last one;
- a policy is measured that is better than all before, or a deployed one is kept, and the last analysis was made under
  another scheduler: a new one is *due*, for who waits, and for what, follows from the scheduler;
- its files are another version than what was analysed.

Nothing runs for it by itself: these are consequences of calls. A workload that runs in a guest does so for one trial
only, so there is nothing to look at between calls.
"""

import dataclasses
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from schedcp_gym.control.analysis import Analysis
from schedcp_gym.spec import EEVDF
from schedcp_gym.spec.digest import digest

#: Log of the improvement ratio by which a policy must be better than the best before: less is no news.
NEWS = 0.02

Listener = Callable[[str], None]


@dataclass(frozen=True)
class Seen:
    """The last analysis of a workload's changes.

    Attributes:
        policy: What scheduled it.
        version: Digest of the workload's files then.
        text: The answer.
        data: ``analyse_anew``, ``changes``, ``parts``.
    """

    policy: str
    version: str
    text: str
    data: dict[str, Any]


@dataclass(frozen=True)
class State:
    """What is known of a workload's changes.

    Attributes:
        seen: The last analysis; None before the first.
        best: The best policy measured so far.
        best_reward: Its reward; 0 is EEVDF.
        in_charge: What a deployment left in charge last.
        due: Why a new analysis is due, by cause; empty when none is.
    """

    seen: Seen | None = None
    best: str = EEVDF
    best_reward: float = 0.0
    in_charge: str = EEVDF
    due: dict[str, str] = field(default_factory=dict)


class Watch:
    """The workloads' states, and who wants to hear of them. Safe to share between threads."""

    def __init__(self) -> None:
        self._states: dict[str, State] = {}
        self._listeners: dict[object, Listener] = {}
        self._lock = threading.Lock()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Has a listener called with a workload's name when its state has changed, in the thread that changed it.

        Returns:
            What ends it.
        """
        key = object()
        with self._lock:
            self._listeners[key] = listener

        def end() -> None:
            with self._lock:
                self._listeners.pop(key, None)

        return end

    def analysed(self, workload: str, policy: str, version: str, changes: Analysis) -> None:
        """Takes in an analysis of a workload's changes."""

        def change(state: State) -> State:
            seen = Seen(policy, version, changes.text, dict(changes.data))
            if state.seen and (policy, digest(seen.data)) == (state.seen.policy, digest(state.seen.data)):
                seen = state.seen if state.seen.version == version else seen
            due = {cause: why for cause, why in state.due.items() if _under(state, cause) != policy}
            return dataclasses.replace(state, seen=seen, due=due)

        self._change(workload, change)

    def measured(self, workload: str, policy: str, reward: float) -> None:
        """Takes in a measurement."""

        def change(state: State) -> State:
            if reward <= state.best_reward + NEWS:
                return state
            better = dataclasses.replace(state, best=policy, best_reward=reward)
            return _with_due(better, "best", policy, f"{policy} is the best policy so far")

        self._change(workload, change)

    def deployed(self, workload: str, policy: str) -> None:
        """Takes in that a deployed policy was kept."""

        def change(state: State) -> State:
            return _with_due(
                dataclasses.replace(state, in_charge=policy), "in_charge", policy, f"{policy} is in charge"
            )

        self._change(workload, change)

    def state(self, workload: str, version: str) -> State:
        """A workload's state.

        Args:
            workload: Its name.
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
    """The scheduler under which an analysis would settle a cause."""
    return {"best": state.best, "in_charge": state.in_charge}[cause]


def _with_due(state: State, cause: str, policy: str, what: str) -> State:
    """The state with a cause for a new analysis, where there was one under another scheduler."""
    if state.seen is None or state.seen.policy == policy:
        return dataclasses.replace(state, due={key: why for key, why in state.due.items() if key != cause})
    why = f"{what}, and the last analysis was made under {state.seen.policy}: workload_changes with policy={policy}"
    return dataclasses.replace(state, due={**state.due, cause: why})
