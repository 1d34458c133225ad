"""Wrappers between an agent and an environment: the budget, and the record."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from schedcp_gym.envs.base import SchedEnv
from schedcp_gym.spec import Policy

#: Called with each baseline and evaluation: the entry for the record, and the measured policy.
Sink = Callable[[dict[str, Any], Policy], None]


class BudgetSpent(Exception):
    """The budget is spent, so this run measures nothing more."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Budget:
    """Limits of a run. The run ends when one of them is reached; None is no limit.

    Attributes:
        evaluations: Number of steps with any outcome. A policy that was measured before counts again.
        virtual_s: Guest seconds of all trials, EEVDF's included, and of the agent's tools.
    """

    evaluations: int | None = Field(default=None, ge=1)
    virtual_s: float | None = Field(default=None, gt=0)


class Ledger:
    """The spent part of a budget.

    Attributes:
        budget: The limits.
        evaluations: Steps so far.
        virtual_s: Guest seconds so far.
    """

    def __init__(self, budget: Budget) -> None:
        """Begin with nothing spent."""
        self.budget = budget
        self.evaluations = 0
        self.virtual_s = 0.0

    @property
    def is_spent(self) -> bool:
        """Return whether the run is over."""
        return self.evaluations_left <= 0 or self.is_time_spent

    @property
    def is_time_spent(self) -> bool:
        """Return whether the guest seconds are spent. Then an agent's tools run nothing more either."""
        return self.budget.virtual_s is not None and self.virtual_s >= self.budget.virtual_s

    @property
    def evaluations_left(self) -> float:
        """Return the number of evaluations left; infinite without a limit."""
        return math.inf if self.budget.evaluations is None else self.budget.evaluations - self.evaluations


class Budgeted(gym.Wrapper[Any, Any, Any, Any]):
    """Ends a run when its budget is spent.

    The step that spends the budget is truncated, with ``info["budget_spent"]`` True. Every later step or reset raises
    :class:`BudgetSpent`.
    """

    def __init__(self, env: gym.Env[Any, Any], ledger: Ledger) -> None:
        """Wrap an environment. The wrapper writes the ledger; others may read it."""
        super().__init__(env)
        self.ledger = ledger
        self._baselines: set[str] = set()

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """Begin an episode, and charge EEVDF's trial unless it was charged before.

        Raises:
            BudgetSpent: The budget was spent before this reset.
        """
        self._check()
        observation, info = self.env.reset(**options)
        if info["baseline"]["trial"] not in self._baselines:
            self._baselines.add(info["baseline"]["trial"])
            self.ledger.virtual_s += info["baseline"]["job_s"] or 0.0
        return observation, info | {"budget_spent": self.ledger.is_spent}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Make a step and charge it.

        Raises:
            BudgetSpent: The budget was spent before this step.
        """
        self._check()
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.ledger.evaluations += 1
        self.ledger.virtual_s += info["measurement"]["job_s"] or 0.0
        spent = self.ledger.is_spent
        return observation, reward, terminated, truncated or spent, info | {"budget_spent": spent}

    def prefetch(self, actions: Sequence[Any]) -> None:
        """Measure actions in parallel, as many as the budget still allows."""
        allowed = int(min(self.ledger.evaluations_left, len(actions)))
        self.env.get_wrapper_attr("prefetch")(actions[:allowed])

    def _check(self) -> None:
        if self.ledger.is_spent:
            raise BudgetSpent


class Recorded(gym.Wrapper[Any, Any, Any, Any]):
    """Passes every baseline and evaluation to a sink, in order."""

    def __init__(self, env: gym.Env[Any, Any], sink: Sink) -> None:
        """Wrap an environment."""
        super().__init__(env)
        self._sink = sink
        self._episode = -1

    @property
    def _task(self) -> SchedEnv:
        task = self.unwrapped
        assert isinstance(task, SchedEnv)
        return task

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """Begin an episode and record its baseline."""
        observation, info = self.env.reset(**options)
        self._episode += 1
        self._tell("baseline", info, 0.0)
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Make a step and record its evaluation."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._tell("evaluation", info, float(reward))
        return observation, reward, terminated, truncated, info

    def prefetch(self, actions: Sequence[Any]) -> None:
        """Measure actions in parallel. After Ctrl-C, record those that are complete before the interrupt goes on."""
        try:
            self.env.get_wrapper_attr("prefetch")(actions)
        except KeyboardInterrupt:
            for action in actions:
                # Stop at the first gap, so that the record is the beginning of the record without the interrupt.
                if not self._task.is_prefetched(action):
                    break
                self.step(action)
            raise

    def _tell(self, kind: str, info: dict[str, Any], reward: float) -> None:
        task = self._task
        policy, measured = task.last_policy, task.last
        assert measured is not None
        more = {"episode": self._episode, "step": info["step"], "reward": reward}
        self._sink(record_entry(kind, info, more, measured.timings_s), policy)


#: Keys of ``info`` at the beginning of a record's entry.
_HEAD = ("workload", "scale", "workload_seed", "policy", "tunables", "source_sha256", "outcome", "message")


def record_entry(kind: str, info: dict[str, Any], more: dict[str, Any], timings_s: dict[str, float]) -> dict[str, Any]:
    """Return an entry of the record, with the values that depend on the host at the end.

    Args:
        kind: ``baseline``, ``evaluation`` or ``heldout``.
        info: The ``info`` of a step or reset.
        more: Further values of this kind of entry.
        timings_s: Host seconds of the trial's parts.
    """
    return {
        "kind": kind,
        **{name: info[name] for name in _HEAD},
        **more,
        "reward_parts": info["reward_parts"],
        "measurement": info["measurement"],
        "host": {"timings_s": timings_s},
    }
