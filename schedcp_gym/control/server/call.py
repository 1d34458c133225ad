"""A tool call under way: the control plane, the session, the call's own lab, and its progress."""

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
    """The client cancelled the call."""


@dataclass(frozen=True)
class Session:
    """The caller.

    Attributes:
        id: Its name in the audit log; not a secret.
        own: Whether the connection, or the transport's session id, tells this caller from others. Where nothing does,
            the ids of a caller's deployments are secrets.
    """

    id: str
    own: bool = True


@dataclass
class Call:
    """A call under way.

    Attributes:
        plane: The control plane.
        session: The caller.
        lab: The call's own branch of the plane's lab.
        doing: The current step, in a few words.
        done: Number of finished steps.
        steps: Number of all steps; None if not known.
        began: Host time of the start (monotonic).
        cancelled: Set when the client cancels the call.
        told: Called at each step.
    """

    plane: "ControlPlane"
    session: Session
    lab: "Lab"
    doing: str = ""
    done: int = 0
    steps: int | None = None
    began: float = field(default_factory=time.monotonic)
    cancelled: threading.Event = field(default_factory=threading.Event)
    told: Callable[["Call"], None] = lambda _call: None

    def step(self, doing: str, done: int = 0, steps: int | None = None) -> None:
        """Report the current step and the progress.

        Raises:
            Cancelled: The call was cancelled.
        """
        self.check()
        self.doing, self.done, self.steps = doing, done, steps
        self.told(self)

    def check(self) -> None:
        """Return if the call was not cancelled.

        Raises:
            Cancelled: It was.
        """
        if self.cancelled.is_set():
            raise Cancelled("the call was cancelled")

    def cancel(self) -> None:
        """Stop the call's virtual machines; its next step raises :class:`Cancelled`."""
        self.cancelled.set()
        self.lab.stop()

    @property
    def progress(self) -> str:
        """The current step in a line, with the number of finished steps."""
        return f"{self.doing}{f' ({self.done} of {self.steps} done)' if self.steps else ''}"

    @contextlib.contextmanager
    def ending_with_it(self) -> Iterator[None]:
        """Raise :class:`Cancelled` for any error in a cancelled call: the cancellation is its cause."""
        try:
            yield
        except SchedcpError:
            self.check()
            raise
        self.check()
