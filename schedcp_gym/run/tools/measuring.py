"""``measure_policy`` in a run: a step of the environment, budgeted and recorded like any other."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any

import gymnasium as gym
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from schedcp_gym.baselines.toolbox import MEASURE, ToolResult
from schedcp_gym.control.server import telling
from schedcp_gym.envs.base import SchedEnv
from schedcp_gym.envs.wrappers import Ledger
from schedcp_gym.spec import BadInput, Policy
from schedcp_gym.spec.errors import first_fault
from schedcp_gym.spec.policy import Value


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Wanted:
    """The tool's arguments."""

    workload: str
    policy: str | None = None
    source: str | None = None
    tunables: dict[str, Value] = field(default_factory=dict)


Resolve = Callable[[str | None, str | None, Mapping[str, Value]], Policy]


class Measuring:
    """Answers the tool. The environment's actions are sources ("Synth")."""

    def __init__(
        self, env: gym.Env[Any, Any], ledger: Ledger, resolve: Resolve, named: Callable[[Policy], None]
    ) -> None:
        """Prepares it.

        Args:
            env: The task, with all its wrappers.
            ledger: What is spent.
            resolve: What ``policy``, ``source`` and ``tunables`` stand for.
            named: Is told of a policy, under the name it is known by, before it is measured.
        """
        self._env = env
        self._ledger = ledger
        self._resolve = resolve
        self._named = named

    @property
    def task(self) -> SchedEnv:
        """The environment without its wrappers."""
        task = self._env.unwrapped
        assert isinstance(task, SchedEnv)
        return task

    def wanted(self, arguments: Mapping[str, Any]) -> Policy:
        """The policy that a call's arguments stand for.

        Raises:
            BadInput: They stand for none.
        """
        try:
            wanted = TypeAdapter(Wanted).validate_python(dict(arguments))
        except ValidationError as error:
            raise BadInput(first_fault(error)) from None
        if wanted.workload != self.task.workload.name:
            raise BadInput(f"this run is on {self.task.workload.name}: there is no other workload here")
        policy = self._resolve(wanted.policy, wanted.source, wanted.tunables)
        if policy.is_eevdf:
            raise BadInput("EEVDF is what all are compared with: its figures are in every result of a measurement")
        self.task.decode(_action(policy))
        return policy

    def measure(self, policy: Policy) -> ToolResult:
        """Measures a policy: a step of the environment.

        Raises:
            BudgetSpent: It is.
            SchedcpError: The host failed.
        """
        self._named(policy)
        _observation, reward, _terminated, truncated, info = self._env.step(_action(policy))
        return self._told(policy, info, float(reward), is_over=truncated and not info["budget_spent"])

    @property
    def is_over(self) -> bool:
        """Whether the next measurement begins another episode."""
        return self.task.steps_left <= 0

    def go_on(self) -> None:
        """Begins the next episode, if this one is over."""
        if self.is_over and not self._ledger.is_spent:
            self._env.reset()

    def prefetch(self, calls: Sequence[Mapping[str, Any]]) -> None:
        """Measures in parallel what the next calls will ask for; wrong ones are left out."""
        policies = []
        for arguments in calls:
            try:
                policies.append(self.wanted(arguments))
            except BadInput:
                continue  # its call will say why
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
            **telling.measured_data(*told, policy, measured, baseline, reward, task.workload_seed),
            "source_sha256": info["source_sha256"],
            "evaluation": ledger.evaluations,
            "evaluations_left": left,
            "episode_over": is_over,
            "guest_s": measured.job_s or 0.0,
        }
        lines = [telling.measured_text(*told, telling.named(policy), measured, baseline, reward)]
        lines += [] if left is None else [f"evaluations left: {left}"]
        if is_over:
            lines.append("This workload seed's episode is over: the next measurement is on another, under other names.")
        return ToolResult("\n".join(lines), data)


def measured_calls(calls: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
    """The arguments of those calls that are measurements."""
    return [arguments for name, arguments in calls if name == MEASURE]


def _action(policy: Policy) -> dict[str, str]:
    return {"source": policy.source, "tunables": json.dumps(dict(policy.tunables))}
