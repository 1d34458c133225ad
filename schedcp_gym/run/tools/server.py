"""The tools of a run: those of the control plane, except the one that the environment answers."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium as gym

from schedcp_gym.baselines.toolbox import MEASURE, Toolbox
from schedcp_gym.envs.base import SchedEnv
from schedcp_gym.envs.wrappers import BudgetSpent, Ledger
from schedcp_gym.lab import Lab
from schedcp_gym.llm import Tool, ToolResult
from schedcp_gym.llm.scrub import scrub
from schedcp_gym.run.settings import Settings
from schedcp_gym.run.tools.journal import Journal, result_of
from schedcp_gym.run.tools.measuring import Measuring, measured_calls
from schedcp_gym.spec import BadInput, Policy

if TYPE_CHECKING:
    from schedcp_gym.control.server.call import Call
    from schedcp_gym.control.server.registry import ToolRegistry

Tell = Callable[[str], None]
#: Tools for running deployments. In a run, a deployment has ended when deploy_policy returns.
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
    """Open the tools of a run, over a control plane of its own.

    Args:
        settings: The run's settings.
        folder: The run's folder.
        env: The task, with all its wrappers.
        ledger: The costs so far.
        author: Author of the policies that are added to the repository.
        report: Called with the progress of the image's build.
        named: Called with each policy, under its name, before it is measured.
        tell: Called with a line before each call.
        progress: Called with a line at each step of a call.
    """
    from schedcp_gym.control.repository import open_library
    from schedcp_gym.control.server import ControlPlane
    from schedcp_gym.control.server.registry import ToolRegistry

    journal, task = Journal(folder), env.unwrapped
    assert isinstance(task, SchedEnv)
    tell("control plane: opening the policy repository")
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
    registry = ToolRegistry(plane)
    measuring = Measuring(env, ledger, plane.resolve, registry.find(MEASURE).check, named)
    try:
        yield Toolbox(RunTools(registry, measuring, journal, ledger, tell, progress))
    finally:
        plane.close()


class RunTools:
    """Makes an agent's calls, or takes their results from the run's :class:`~schedcp_gym.run.tools.journal.Journal`."""

    def __init__(
        self,
        registry: "ToolRegistry",
        measuring: Measuring,
        journal: Journal,
        ledger: Ledger,
        tell: Tell,
        progress: Tell,
    ) -> None:
        """Combine the parts; see :func:`open_tools`."""
        self._registry = registry
        self._plane = registry.plane
        self._measuring = measuring
        self._journal = journal
        self._ledger = ledger
        self._tell = tell
        self._progress = progress

    def tools(self) -> list[Tool]:
        """Return the tools that may be called."""
        return [tool for tool in self._registry.tools() if tool.name not in LEFT_OUT]

    def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Make a call, or take its result from the journal.

        Raises:
            BudgetSpent: The budget is spent.
            BadInput: No episode has begun.
            SchedcpError: The host failed; or the journal has another call at this place.
        """
        self._begin()
        return self._measure(arguments) if name == MEASURE else self._use(name, arguments)

    def prepare(self, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Measure in parallel what these calls will ask for."""
        self._begin()
        wanted = measured_calls(calls)
        if not wanted or (calls[0][0] != MEASURE and self._measuring.is_over):
            return  # another call comes first, and it belongs to the episode that has ended
        self._go_on()
        self._measuring.prefetch(wanted)

    def _begin(self) -> None:
        task = self._measuring.task
        if task.baseline is None:
            raise BadInput("no episode has begun: the agent calls env.reset(seed=…) before it uses tools")
        self._plane.seed = task.workload_seed

    def _go_on(self) -> None:
        # Not earlier: until the first measurement of the next episode, tools work on the episode that has ended.
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
                text = f"there is no {name} in a run: the deployment has ended when deploy_policy returns"
                result = ToolResult(text=text, is_error=True)
            else:
                result = _scrubbed(self._registry.call(name, arguments, told=self._show))
            self._journal.add(name, arguments, result)
        self._ledger.virtual_s += result.data.get("guest_s") or 0.0
        return result

    def _show(self, call: "Call") -> None:
        self._progress(call.progress)

    def _measure(self, arguments: Mapping[str, Any]) -> ToolResult:
        known = self._journal.recall(MEASURE, arguments)
        if known:
            self._restore(arguments, result_of(known))
            if known["evaluation"] is None:
                return result_of(known)
        try:
            policy = self._measuring.wanted(arguments)
        except BadInput as error:
            result = _scrubbed(ToolResult(text=str(error), is_error=True))
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
        """Pass the last measurement to the plane, which adds it to the repository if the policy is there."""
        task = self._measuring.task
        # On the virtual clock a result that is repeated on resume has the same id and is kept once; on the real clock
        # it would be kept twice.
        known = (task.last, task.baseline) if is_new or task.deterministic else (None, None)
        self._plane.note_measured(task.workload.name, policy, *known)

    def _restore(self, arguments: Mapping[str, Any], result: ToolResult) -> None:
        """Restore what the plane got from a call before the run was interrupted: drafts, and the verifier's tokens."""
        from schedcp_gym.control.server.policies import Edit
        from schedcp_gym.control.verifier.token import read

        plane, data = self._plane, result.data
        with contextlib.suppress(BadInput):  # a wrong call made neither
            source = arguments.get("source")
            if edits := arguments.get("edits"):
                base = plane.resolve(arguments.get("policy"), source)
                source = plane.policies.edited(base.source, [Edit(each["old"], each["new"]) for each in edits])
            if isinstance(source, str):
                plane.policies.remember(source)
            if token := data.get("token"):
                plane.keep_token(plane.resolve(data["policy"], tunables=dict(read(token).tunables)), token)


def _scrubbed(result: ToolResult) -> ToolResult:
    # The agent gets what is written to the journal, so that a resumed run gets the same.
    return ToolResult(scrub(dict(result.data)), scrub(result.text), result.is_error)


def _gist(arguments: Mapping[str, Any]) -> str:
    """Return the arguments in a line."""
    shown = {name: value for name, value in arguments.items() if name not in ("workload", "source", "token") and value}
    text = " ".join(f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in shown.items())
    text = " ".join(text.split())
    return text if len(text) <= _GIST_LETTERS else f"{text[: _GIST_LETTERS - 1]}…"
