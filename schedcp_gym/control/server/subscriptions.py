"""Who is told of a workload's changes, in both ways that the protocol has had for it.

With ``resources/subscribe`` (the handshake's protocol) notifications come on the connection; with
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

#: Subscriptions that are kept; the oldest are dropped.
LIMIT = 1024


class WatchBus:
    """The plane's watch as the SDK's source of events for ``subscriptions/listen``."""

    def __init__(self, watch: "Watch") -> None:
        self._watch = watch

    async def publish(self, event: ServerEvent) -> None:
        """Nothing is published by the server itself: events are the watch's."""

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """Has a listener called on its own loop for each workload that changes."""
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
        """Subscribes a session; once more changes nothing. To be called on the connection's loop."""
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
        """Ends a subscription, if there is one."""
        with self._lock:
            end = self._ends.pop((session, workload), None)
        if end:
            end()

    def forget(self, session: str) -> None:
        """Ends all subscriptions of a session."""
        with self._lock:
            ends = [self._ends.pop(key) for key in list(self._ends) if key[0] == session]
        for end in ends:
            end()


_SENDING: set[asyncio.Task[None]] = set()


def _start(sending: Coroutine[Any, Any, None]) -> None:
    """Sends in a task of its own, which is kept until it is done; a client that has gone is no fault."""

    async def send() -> None:
        try:
            await sending
        except Exception as error:  # noqa: BLE001  whatever a transport says when its client has gone
            log.debug("a notification could not be sent: %s", type(error).__name__)

    task = asyncio.get_running_loop().create_task(send())
    _SENDING.add(task)
    task.add_done_callback(_SENDING.discard)
