"""A run's tools: the control plane's, but for those that the environment answers."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium as gym

from schedcp_gym.baselines.toolbox import MEASURE, Toolbox, ToolResult
from schedcp_gym.envs.base import SchedEnv
from schedcp_gym.envs.wrappers import BudgetSpent, Ledger
from schedcp_gym.lab import Lab
from schedcp_gym.llm import Tool
from schedcp_gym.llm.scrub import scrub
from schedcp_gym.run.settings import Settings
from schedcp_gym.run.tools.journal import Journal, result_of
from schedcp_gym.run.tools.measuring import Measuring, measured_calls
from schedcp_gym.run.tools.session import Session, Tell
from schedcp_gym.spec import BadInput, Policy

if TYPE_CHECKING:
    from schedcp_gym.control.server import ControlPlane

#: In a run a deployment is over when deploy_policy returns: what would look at it half-way is left out.
LEFT_OUT = ("deployment_status", "stop_deployment")
REPOSITORY = "repository"
_GIST_LETTERS = 100


@contextlib.contextmanager
def open_tools(
    settings: Settings,
    folder: Path,
    env: gym.Env[Any, Any],
    ledger: Ledger,
    *,
    author: str,
    report: Callable[[str, float], None],
    named: Callable[[Policy], None],
    tell: Tell,
    progress: Tell,
) -> Iterator[Toolbox]:
    """The tools of a run, over a control plane of its own.

    Args:
        settings: The run's.
        folder: The run's.
        env: The task, with all its wrappers.
        ledger: What is spent.
        author: Who writes the policies that are added to the repository.
        report: Is told of the image's build.
        named: Is told of a policy, under the name it is known by, before it is measured.
        tell: Is told what is done, in a line.
        progress: Is told how far that is, now and then.
    """
    from schedcp_gym.control.repository import open_library
    from schedcp_gym.control.server import ControlPlane
    from schedcp_gym.control.server.server import build_server

    journal, task = Journal(folder), env.unwrapped
    assert isinstance(task, SchedEnv)
    tell("control plane: opens the policy repository")
    plane = ControlPlane(
        Lab(workers=settings.workers, cache=settings.cache, report=report),
        repository=open_library(Path(settings.repository) if settings.repository else folder / REPOSITORY),
        workloads=[settings.workload.name],
        machine=settings.machine,
        scale=settings.scale,
        objective=task.objective if isinstance(settings.objective, Mapping) else settings.objective,
        measured_only=True,
        wait_for_deployments=True,
        author=author,
    )
    measuring = Measuring(env, ledger, plane.resolve, named)
    with Session(build_server(plane), progress) as session:
        try:
            yield Toolbox(RunTools(session, plane, measuring, journal, ledger, tell))
        finally:
            plane.close()  # before the session: it waits for the calls under way


class RunTools:
    """Makes an agent's calls, or recalls them: see :class:`~schedcp_gym.run.tools.journal.Journal`."""

    def __init__(
        self,
        session: Session,
        plane: "ControlPlane",
        measuring: Measuring,
        journal: Journal,
        ledger: Ledger,
        tell: Tell,
    ) -> None:
        """Puts the parts together."""
        self._session = session
        self._plane = plane
        self._measuring = measuring
        self._journal = journal
        self._ledger = ledger
        self._tell = tell

    def tools(self) -> list[Tool]:
        """What may be called."""
        return [tool for tool in self._session.tools() if tool.name not in LEFT_OUT]

    def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Makes a call, or recalls it.

        Raises:
            BudgetSpent: It is.
            BadInput: No episode has begun.
            SchedcpError: The host failed; or the journal has another call at this place.
        """
        self._begin()
        return self._measure(arguments) if name == MEASURE else self._use(name, arguments)

    def prepare(self, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Measures in parallel what these calls will ask for."""
        self._begin()
        wanted = measured_calls(calls)
        if not wanted or (calls[0][0] != MEASURE and self._measuring.is_over):
            return  # another call comes first, and it is about the episode that is over
        self._go_on()
        self._measuring.prefetch(wanted)

    def _begin(self) -> None:
        task = self._measuring.task
        if task.baseline is None:
            raise BadInput("no episode has begun: the agent calls env.reset(seed=…) before it uses tools")
        self._plane.seed = task.workload_seed

    def _go_on(self) -> None:
        # Only now: until something is measured in the next episode, tools answer for the one that is over.
        self._measuring.go_on()
        self._begin()

    def _use(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        if self._ledger.is_time_spent:
            raise BudgetSpent
        known = self._journal.recall(name, arguments)
        if known:
            result = result_of(known)
            self._restore(arguments, result)
        else:
            self._tell(f"{name}: {_gist(arguments)}".removesuffix(": "))
            if name in LEFT_OUT:
                result = ToolResult(f"{name} is not there in a run: deploy_policy's result is the end", is_error=True)
            else:
                result = _scrubbed(self._session.call(name, arguments))
            self._journal.add(name, arguments, result)
        self._ledger.virtual_s += result.data.get("guest_s") or 0.0
        return result

    def _measure(self, arguments: Mapping[str, Any]) -> ToolResult:
        known = self._journal.recall(MEASURE, arguments)
        if known:
            self._restore(arguments, result_of(known))
            if known["evaluation"] is None:
                return result_of(known)
        try:
            policy = self._measuring.wanted(arguments)
        except BadInput as error:
            result = ToolResult(str(error), is_error=True)
            self._journal.add(MEASURE, arguments, result, evaluation=None)
            return result
        if not known:
            self._tell(f"{MEASURE}: {_gist(arguments)}")
        self._go_on()
        result = _scrubbed(self._measuring.measure(policy))
        self._keep(policy, is_new=not known)
        if not known:
            self._journal.add(MEASURE, arguments, result, evaluation=self._ledger.evaluations)
        return result

    def _keep(self, policy: Policy, *, is_new: bool) -> None:
        """Lets the plane know of the last measurement: it goes into the repository, where its policy is known there."""
        task = self._measuring.task
        # On the virtual clock the same result is not kept twice; on the other one nobody could tell.
        known = (task.last, task.baseline) if is_new or task.deterministic else (None, None)
        self._plane.note_measured(task.workload.name, policy, *known)

    def _restore(self, arguments: Mapping[str, Any], result: ToolResult) -> None:
        """Gives the plane what the one before it knew from a call: drafts of policies, and the verifier's tokens."""
        from schedcp_gym.control.server.policies import Edit
        from schedcp_gym.control.verifier.token import read

        plane, data = self._plane, result.data
        with contextlib.suppress(BadInput):  # what was wrong then made neither
            source = arguments.get("source")
            if edits := arguments.get("edits"):
                base = plane.resolve(arguments.get("policy"), source)
                source = plane.policies.edited(base.source, [Edit(each["old"], each["new"]) for each in edits])
            if isinstance(source, str):
                plane.policies.remember(source)
            if token := data.get("token"):
                plane.keep_token(plane.resolve(data["policy"], tunables=dict(read(token).tunables)), token)


def _scrubbed(result: ToolResult) -> ToolResult:
    # What is given is what is written, so that a run that goes on is told the same.
    return ToolResult(scrub(result.text), scrub(dict(result.data)), result.is_error)


def _gist(arguments: Mapping[str, Any]) -> str:
    """The arguments in a line."""
    shown = {name: value for name, value in arguments.items() if name not in ("workload", "source", "token") and value}
    text = " ".join(f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in shown.items())
    text = " ".join(text.split())
    return text if len(text) <= _GIST_LETTERS else f"{text[: _GIST_LETTERS - 1]}…"
