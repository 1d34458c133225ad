"""Running and ended deployments. Each belongs to the session that started it."""

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

#: Limits for one session: running deployments, and remembered ones.
AT_ONCE, REMEMBERED = 2, 50

Deploy = Callable[[Lab], CanaryReport]


@dataclass
class Deployment:
    """One deployment.

    Attributes:
        id: Its name within the session.
        session: The session that owns it.
        workload: Name of the workload.
        policy: The policy.
        lab: The lab that runs it; stopping the lab ends the deployment.
        began: Host time of its start (monotonic).
        state: ``running``, or its end: ``kept``, ``reverted``, ``failed``, ``stopped``.
        report: The canary's report; None until the end, or if there is none.
        message: Why there is no report.
        over: Set at its end.
        guessable: Whether its id is no secret.
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
    """All deployments, by session. Safe to share between threads."""

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
        wait: bool = False,
        guessable: bool = True,
        ended: Callable[[Deployment], None] = lambda _: None,
    ) -> Deployment:
        """Start a deployment in a thread of its own, or carry it out in this one.

        Args:
            session: The session that owns it.
            workload: Name of the workload.
            policy: The policy.
            lab: The lab that runs it.
            deploy: Carries it out.
            wait: Carry it out in this thread, and return at its end.
            guessable: Whether ids are numbers in order. If False, the id is a secret, for callers that nothing else
                tells apart.
            ended: Called at its end, in the thread that carries it out.

        Raises:
            BadInput: Too many deployments of the session are running.
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
        if wait:
            _carry_out(deployment, deploy, ended)
        else:
            threading.Thread(target=_carry_out, args=(deployment, deploy, ended), name=name, daemon=True).start()
        return deployment

    def get(self, session: str, name: str) -> Deployment:
        """Return a deployment of a session.

        Raises:
            BadInput: No such deployment in this session. Sessions cannot see each other's deployments.
        """
        with self._lock:
            if found := self._known.get((session, name)):
                return found
            mine = [each.id for each in self._known.values() if each.session == session and each.guessable]
        have = f": it has {', '.join(mine[-5:])}" if mine else ""
        raise BadInput(f"this session has no deployment {name[:80]!r}{have} (deploy_policy gives the id)")

    def stop_session(self, session: str) -> None:
        """Stop a session's running deployments, and forget all of its deployments."""
        with self._lock:
            mine = [key for key in self._known if key[0] == session]
            gone = [self._known.pop(key) for key in mine]
        for each in gone:
            each.lab.stop()


def _carry_out(deployment: Deployment, deploy: Deploy, ended: Callable[[Deployment], None]) -> None:
    lab = deployment.lab
    try:
        deployment.report = deploy(lab)
        deployment.state = deployment.report.verdict.value
    except SchedcpError as error:
        deployment.message = "its virtual machine was stopped on request" if lab.stopped else str(error)
        deployment.state = "stopped" if lab.stopped else "failed"
    except Exception as error:  # nobody would see it in a thread: the deployment's state must show it
        log.exception("deployment %s failed", deployment.id)
        deployment.message, deployment.state = f"internal error: {type(error).__name__}", "failed"
    try:
        ended(deployment)
    except Exception:  # the deployment has ended, whether or not that could be recorded
        log.exception("the end of deployment %s could not be recorded", deployment.id)
    finally:
        deployment.over.set()
