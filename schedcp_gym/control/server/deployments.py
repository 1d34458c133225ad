"""Deployments under way and past: each belongs to the session that started it."""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from schedcp_gym.control.verifier.canary import CanaryReport
from schedcp_gym.lab import Lab
from schedcp_gym.spec import BadInput, Policy, SchedcpError

log = logging.getLogger(__name__)

#: Deployments of one session that may run at once, and that are remembered.
AT_ONCE, REMEMBERED = 2, 50

Deploy = Callable[[Lab], CanaryReport]


@dataclass
class Deployment:
    """One deployment.

    Attributes:
        id: What its session calls it.
        session: Whose it is.
        workload: On what.
        policy: What is deployed.
        lab: Where; stopping it ends it.
        began: Host time of its start (monotonic).
        state: ``running``, or how it ended: ``kept``, ``reverted``, ``failed``, ``stopped``.
        report: What became of it.
        message: Why there is no report.
        over: Set at its end.
        guessable: Whether its id is no secret: where others share the session, nothing else says whose it is.
    """

    id: str
    session: str
    workload: str
    policy: Policy
    lab: Lab
    began: float = field(default_factory=time.monotonic)
    state: str = "running"
    report: CanaryReport | None = None
    message: str = ""
    over: threading.Event = field(default_factory=threading.Event)
    guessable: bool = True


class Deployments:
    """The registry. Safe to share between threads."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Deployment] = {}
        self._lock = threading.Lock()

    def start(
        self,
        session: str,
        workload: str,
        policy: Policy,
        lab: Lab,
        deploy: Deploy,
        *,
        guessable: bool = True,
        ended: Callable[[Deployment], None] = lambda _: None,
    ) -> Deployment:
        """Starts a deployment in a thread of its own.

        Args:
            session: Whose it is.
            workload: On what.
            policy: What.
            lab: Where.
            deploy: Does it.
            guessable: Whether its id may be a number in order; else, where nothing but the id tells whose it is, it
                can't be guessed.
            ended: Told of its end, in that thread.

        Raises:
            BadInput: Too many of the session's are running.
        """
        with self._lock:
            mine = [each for each in self._known.values() if each.session == session]
            running = [each for each in mine if each.state == "running"]
            if len(running) >= AT_ONCE:
                which = ", ".join(each.id for each in running) if guessable else f"{len(running)} deployments"
                raise BadInput(f"{which} are running: wait for one (deployment_status), or stop it")
            for old in [each for each in mine if each.state != "running"][: max(0, len(mine) - REMEMBERED + 1)]:
                del self._known[session, old.id]
            number = 1 + max((int(each.id.split("-")[1]) for each in mine), default=0)
            name = f"deployment-{number}" if guessable else f"deployment-{number}-{secrets.token_urlsafe(16)}"
            deployment = Deployment(name, session, workload, policy, lab, guessable=guessable)
            self._known[session, name] = deployment

        def work() -> None:
            try:
                deployment.report = deploy(lab)
                deployment.state = deployment.report.verdict.value
            except SchedcpError as error:
                deployment.message = "its virtual machine was ended on request" if lab.stopped else str(error)
                deployment.state = "stopped" if lab.stopped else "failed"
            except Exception as error:  # a thread's last words: whoever asks for its state must get them
                log.exception("deployment %s failed", name)
                deployment.message, deployment.state = f"internal error: {type(error).__name__}", "failed"
            try:
                ended(deployment)
            except Exception:  # the deployment is as it is, whether that could be written down or not
                log.exception("the end of deployment %s could not be recorded", name)
            finally:
                deployment.over.set()

        threading.Thread(target=work, name=name, daemon=True).start()
        return deployment

    def get(self, session: str, name: str) -> Deployment:
        """A deployment of a session.

        Raises:
            BadInput: The session has none of the name; another's is none of its own.
        """
        with self._lock:
            if found := self._known.get((session, name)):
                return found
            mine = [each.id for each in self._known.values() if each.session == session and each.guessable]
        have = f": it has {', '.join(mine[-5:])}" if mine else ""
        raise BadInput(f"this session has no deployment {name[:80]!r}{have} (deploy_policy gives the id)")

    def stop_session(self, session: str) -> None:
        """Ends what a session has running; forgets all of it."""
        with self._lock:
            mine = [key for key in self._known if key[0] == session]
            gone = [self._known.pop(key) for key in mine]
        for each in gone:
            each.lab.stop()
