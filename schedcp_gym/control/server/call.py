"""One call of a tool, as the tool sees it: the plane, whose call it is, its own lab, and how it says how far it is."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schedcp_gym.spec import SchedcpError

if TYPE_CHECKING:
    from schedcp_gym.control.server.plane import ControlPlane
    from schedcp_gym.lab import Lab


class Cancelled(SchedcpError):
    """The client has cancelled the call."""


@dataclass(frozen=True)
class Session:
    """Who calls.

    Attributes:
        id: As the audit log names it; no secret.
        own: Whether the connection, or the transport's own id, tells it from others. Where nothing does, what belongs
            to it has an id that can't be guessed.
    """

    id: str
    own: bool = True


@dataclass
class Call:
    """A call under way.

    Attributes:
        plane: The control plane.
        session: Whose call.
        lab: Its own branch of the plane's lab.
        doing: What it does now, in a few words.
        done: Steps that are done.
        steps: Steps there are; None when that is not known.
        began: Host time of its start (monotonic).
        cancelled: Set when the client wants it no more.
    """

    plane: "ControlPlane"
    session: Session
    lab: "Lab"
    doing: str = ""
    done: int = 0
    steps: int | None = None
    began: float = field(default_factory=time.monotonic)
    cancelled: threading.Event = field(default_factory=threading.Event)
    told: Callable[[], None] = lambda: None

    def step(self, doing: str, done: int = 0, steps: int | None = None) -> None:
        """Says what comes now, and how far the call is; the client is told.

        Raises:
            Cancelled: It is wanted no more.
        """
        self.check()
        self.doing, self.done, self.steps = doing, done, steps
        self.told()

    def check(self) -> None:
        """Goes on only when the call is still wanted.

        Raises:
            Cancelled: It is not.
        """
        if self.cancelled.is_set():
            raise Cancelled("the call was cancelled")

    def cancel(self) -> None:
        """Ends the call's machines; whatever it does next raises."""
        self.cancelled.set()
        self.lab.stop()

    @contextlib.contextmanager
    def ending_with_it(self) -> Iterator[None]:
        """Whatever fails in a cancelled call failed because it was cancelled."""
        try:
            yield
        except SchedcpError:
            self.check()
            raise
        self.check()
