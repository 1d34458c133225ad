"""Subscriptions to changes of workloads, in both forms of the protocol.

With ``resources/subscribe`` (the protocol with a handshake) notifications arrive on the connection; with
``subscriptions/listen`` (2026-07-28) on the stream of that request.
"""

import asyncio
import contextlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from mcp.shared.subscriptions import ResourceUpdated, ServerEvent

from schedcp_gym.control.server.resources import changes_uri

if TYPE_CHECKING:
    from mcp.server.session import ServerSession

    from schedcp_gym.control.server.plane import ControlPlane
    from schedcp_gym.control.server.watch import Watch

log = logging.getLogger(__name__)

#: Limit of subscriptions; the oldest are removed.
LIMIT = 1024


class WatchBus:
    """The plane's watch as a source of events for ``subscriptions/listen``."""

    def __init__(self, watch: "Watch") -> None:
        self._watch = watch

    async def publish(self, event: ServerEvent) -> None:
        """Do nothing: all events come from the watch."""

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """Call a listener on its loop for each workload that changes; return a function that ends it."""
        loop = asyncio.get_running_loop()

        def changed(workload: str) -> None:
            event = ResourceUpdated(uri=changes_uri(workload))
            with contextlib.suppress(RuntimeError):  # its loop has ended
                loop.call_soon_threadsafe(listener, event)

        return self._watch.listen(changed)


class Subscribers:
    """Subscriptions by ``resources/subscribe``. Safe to share between threads."""

    def __init__(self, plane: "ControlPlane") -> None:
        self._plane = plane
        self._ends: OrderedDict[tuple[str, str], Callable[[], None]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, session: str, workload: str, client: "ServerSession") -> None:
        """Subscribe a session; a second time changes nothing. Must be called on the connection's loop."""
        loop = asyncio.get_running_loop()
        key = (session, workload)

        def changed(name: str) -> None:
            if name == workload:
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(_start, client.send_resource_updated(changes_uri(name)))

        end = self._plane.watch.listen(changed)
        with self._lock:
            old = [self._ends.pop(key)] if key in self._ends else []
            self._ends[key] = end
            if len(self._ends) > LIMIT:
                old.append(self._ends.popitem(last=False)[1])
        for each in old:
            each()

    def remove(self, session: str, workload: str) -> None:
        """End a subscription, if there is one."""
        with self._lock:
            end = self._ends.pop((session, workload), None)
        if end:
            end()

    def forget(self, session: str) -> None:
        """End all subscriptions of a session."""
        with self._lock:
            ends = [self._ends.pop(key) for key in list(self._ends) if key[0] == session]
        for end in ends:
            end()


_SENDING: set[asyncio.Task[None]] = set()


def _start(sending: Coroutine[Any, Any, None]) -> None:
    """Send a notification in a task of its own. A client that has disconnected is not an error."""

    async def send() -> None:
        try:
            await sending
        except Exception as error:  # noqa: BLE001  a transport may raise anything when its client has disconnected
            log.debug("a notification could not be sent: %s", type(error).__name__)

    task = asyncio.get_running_loop().create_task(send())
    _SENDING.add(task)
    task.add_done_callback(_SENDING.discard)
