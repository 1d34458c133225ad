"""What stands between an agent and an environment: the budget, and the record."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from schedcp_gym.envs.base import SchedEnv
from schedcp_gym.spec import Policy

#: Told of each baseline and evaluation: the entry for the record, and the policy that was measured.
Sink = Callable[[dict[str, Any], Policy], None]


class BudgetSpent(Exception):
    """The budget is spent: nothing more is measured in this run."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Budget:
    """What a run may use; it ends when one is spent. None is no limit.

    Attributes:
        evaluations: Steps, whatever their outcome; a policy that was measured before costs as much as a new one.
        virtual_s: Guest seconds of all trials, EEVDF's included, and of what an agent's tools run.
    """

    evaluations: int | None = Field(default=None, ge=1)
    virtual_s: float | None = Field(default=None, gt=0)


class Ledger:
    """How much of a budget is spent."""

    def __init__(self, budget: Budget) -> None:
        """Nothing is spent yet."""
        self.budget = budget
        self.evaluations = 0
        self.virtual_s = 0.0

    @property
    def is_spent(self) -> bool:
        """Whether the run is over."""
        return self.evaluations_left <= 0 or self.is_time_spent

    @property
    def is_time_spent(self) -> bool:
        """Whether the guest seconds are: then nothing runs any more, tools of agents included."""
        return self.budget.virtual_s is not None and self.virtual_s >= self.budget.virtual_s

    @property
    def evaluations_left(self) -> float:
        """Evaluations left; infinite without a limit."""
        return math.inf if self.budget.evaluations is None else self.budget.evaluations - self.evaluations


class Budgeted(gym.Wrapper[Any, Any, Any, Any]):
    """Ends a run when its budget is spent, whatever the agent does.

    The step that spends it is truncated, with ``info["budget_spent"]`` True; any further step or reset raises.
    """

    def __init__(self, env: gym.Env[Any, Any], ledger: Ledger) -> None:
        """Wraps an environment; the ledger is written here and may be read by anyone."""
        super().__init__(env)
        self.ledger = ledger
        self._baselines: set[str] = set()

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """Begins an episode; an EEVDF trial is charged once.

        Raises:
            BudgetSpent: It is.
        """
        self._check()
        observation, info = self.env.reset(**options)
        if info["baseline"]["trial"] not in self._baselines:
            self._baselines.add(info["baseline"]["trial"])
            self.ledger.virtual_s += info["baseline"]["job_s"] or 0.0
        return observation, info | {"budget_spent": self.ledger.is_spent}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Makes a step and charges it.

        Raises:
            BudgetSpent: It was spent before this step.
        """
        self._check()
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.ledger.evaluations += 1
        self.ledger.virtual_s += info["measurement"]["job_s"] or 0.0
        spent = self.ledger.is_spent
        return observation, reward, terminated, truncated or spent, info | {"budget_spent": spent}

    def prefetch(self, actions: Sequence[Any]) -> None:
        """As the environment's, for as many actions as the budget still allows."""
        allowed = int(min(self.ledger.evaluations_left, len(actions)))
        self.env.get_wrapper_attr("prefetch")(actions[:allowed])

    def _check(self) -> None:
        if self.ledger.is_spent:
            raise BudgetSpent


class Recorded(gym.Wrapper[Any, Any, Any, Any]):
    """Tells a sink of every baseline and evaluation, in order."""

    def __init__(self, env: gym.Env[Any, Any], sink: Sink) -> None:
        """Wraps an environment."""
        super().__init__(env)
        self._sink = sink
        self._episode = -1

    @property
    def _task(self) -> SchedEnv:
        task = self.unwrapped
        assert isinstance(task, SchedEnv)
        return task

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """Begins an episode; its baseline is recorded."""
        observation, info = self.env.reset(**options)
        self._episode += 1
        self._tell("baseline", info, 0.0)
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Makes a step; its evaluation is recorded."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._tell("evaluation", info, float(reward))
        return observation, reward, terminated, truncated, info

    def prefetch(self, actions: Sequence[Any]) -> None:
        """As the environment's. When it is interrupted, what it has measured so far is recorded first."""
        try:
            self.env.get_wrapper_attr("prefetch")(actions)
        except KeyboardInterrupt:
            for action in actions:
                # Stops at the first gap: the record stays the beginning of what it would have been.
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


#: Keys of ``info`` that a record's entry begins with.
_HEAD = ("workload", "scale", "workload_seed", "policy", "tunables", "source_sha256", "outcome", "message")


def record_entry(kind: str, info: dict[str, Any], more: dict[str, Any], timings_s: dict[str, float]) -> dict[str, Any]:
    """An entry of the record: what is repeatable first, what depends on the host last.

    Args:
        kind: ``baseline``, ``evaluation`` or ``heldout``.
        info: As an environment describes a measurement.
        more: What the kind of entry adds.
        timings_s: Host seconds.
    """
    return {
        "kind": kind,
        **{name: info[name] for name in _HEAD},
        **more,
        "reward_parts": info["reward_parts"],
        "measurement": info["measurement"],
        "host": {"timings_s": timings_s},
    }
