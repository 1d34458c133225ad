"""``measure_policy`` in a run: a step of the environment, which costs an evaluation and is recorded."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium as gym

from schedcp_gym.baselines.toolbox import MEASURE
from schedcp_gym.control.server import formatting
from schedcp_gym.control.server.values import plain
from schedcp_gym.envs.base import SchedEnv
from schedcp_gym.envs.wrappers import Ledger
from schedcp_gym.llm import ToolResult
from schedcp_gym.spec import BadInput, Policy
from schedcp_gym.spec.policy import Value

Resolve = Callable[[str | None, str | None, Mapping[str, Value]], Policy]
Check = Callable[[Mapping[str, Any]], dict[str, Any]]


class Measuring:
    """Answers ``measure_policy``. The environment's actions are sources ("Synth")."""

    def __init__(
        self, env: gym.Env[Any, Any], ledger: Ledger, resolve: Resolve, check: Check, named: Callable[[Policy], None]
    ) -> None:
        """Store the parts.

        Args:
            env: The task, with all its wrappers.
            ledger: The costs so far.
            resolve: Returns the policy that ``policy``, ``source`` and ``tunables`` stand for.
            check: Validates the tool's arguments.
            named: Called with each policy, under its name, before it is measured.
        """
        self._env = env
        self._ledger = ledger
        self._resolve = resolve
        self._check = check
        self._named = named

    @property
    def task(self) -> SchedEnv:
        """The environment without its wrappers."""
        task = self._env.unwrapped
        assert isinstance(task, SchedEnv)
        return task

    def wanted(self, arguments: Mapping[str, Any]) -> Policy:
        """Return the policy that a call's arguments stand for.

        Raises:
            BadInput: The arguments are wrong.
        """
        checked = self._check(arguments)
        if checked["workload"] != self.task.workload.name:
            raise BadInput(f"this run is on {self.task.workload.name}: there is no other workload here")
        policy = self._resolve(checked["policy"], checked["source"], checked["tunables"])
        if policy.is_eevdf:
            raise BadInput("all policies are compared with EEVDF: its figures are in every result of a measurement")
        self.task.decode(_action(policy))
        return policy

    def measure(self, policy: Policy) -> ToolResult:
        """Measure a policy: a step of the environment.

        Raises:
            BudgetSpent: The budget is spent.
            SchedcpError: The host failed.
        """
        self._named(policy)
        _observation, reward, _terminated, truncated, info = self._env.step(_action(policy))
        return self._told(policy, info, float(reward), is_over=truncated and not info["budget_spent"])

    @property
    def is_over(self) -> bool:
        """Return whether the next measurement begins another episode."""
        return self.task.steps_left <= 0

    def go_on(self) -> None:
        """Begin the next episode, if this one has ended."""
        if self.is_over and not self._ledger.is_spent:
            self._env.reset()

    def prefetch(self, calls: Sequence[Mapping[str, Any]]) -> None:
        """Measure in parallel what the next calls will ask for; wrong calls are left out."""
        policies = []
        for arguments in calls:
            try:
                policies.append(self.wanted(arguments))
            except BadInput:
                continue  # its call will report the error
        for policy in policies:
            self._named(policy)
        if len(policies) > 1 and not self._ledger.is_spent:
            self._env.get_wrapper_attr("prefetch")([_action(policy) for policy in policies])

    def _told(self, policy: Policy, info: Mapping[str, Any], reward: float, *, is_over: bool) -> ToolResult:
        task, ledger = self.task, self._ledger
        measured, baseline = task.last, task.baseline
        assert measured is not None
        assert baseline is not None
        left = None if math.isinf(ledger.evaluations_left) else int(ledger.evaluations_left)
        told = (task.workload, task.objective)
        data = {
            **formatting.measured_data(*told, policy, measured, baseline, reward, task.workload_seed),
            "source_sha256": info["source_sha256"],
            "evaluation": ledger.evaluations,
            "evaluations_left": left,
            "episode_over": is_over,
            "guest_s": measured.job_s or 0.0,
        }
        lines = [formatting.measured_text(*told, formatting.named(policy), measured, baseline, reward)]
        lines += [] if left is None else [f"evaluations left: {left}"]
        if is_over:
            lines.append(
                "This episode has ended. The next measurement has another workload seed, with other process names."
            )
        return ToolResult(plain(data), "\n".join(lines))


def measured_calls(calls: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
    """Return the arguments of those calls that are measurements."""
    return [arguments for name, arguments in calls if name == MEASURE]


def _action(policy: Policy) -> dict[str, str]:
    return {"source": policy.source, "tunables": json.dumps(dict(policy.tunables))}
