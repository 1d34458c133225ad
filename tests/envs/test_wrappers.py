"""The budget, kept whatever an agent does."""

import gymnasium as gym
import pytest
from gymnasium import spaces

from schedcp_gym.envs.wrappers import Budget, Budgeted, BudgetSpent, Ledger


class Counter(gym.Env):
    """Says how often it was stepped; a step takes 2 guest seconds, a rejected one (action 0) none."""

    action_space = spaces.Discrete(2)
    observation_space = spaces.Discrete(1000)

    def __init__(self):
        """Nothing was done yet."""
        self.steps = 0
        self.prefetched = []

    def reset(self, *, seed=None, options=None):
        """Begins an episode, always with the same baseline."""
        super().reset(seed=seed)
        return 0, {"baseline": {"trial": "eevdf", "job_s": 1.0}}

    def step(self, action):
        """Counts."""
        self.steps += 1
        return self.steps, 0.0, False, False, {"measurement": {"job_s": 2.0 if action else None}}

    def prefetch(self, actions):
        """Remembers."""
        self.prefetched = actions


def test_evaluations_end_with_a_truncated_step():
    env = Budgeted(Counter(), Ledger(Budget(evaluations=2)))
    env.reset(seed=1)
    assert env.step(0)[3:] == (False, {"measurement": {"job_s": None}, "budget_spent": False})
    assert env.step(1)[3:] == (True, {"measurement": {"job_s": 2.0}, "budget_spent": True})
    with pytest.raises(BudgetSpent):
        env.step(1)
    with pytest.raises(BudgetSpent):
        env.reset()
    assert env.unwrapped.steps == 2


def test_virtual_seconds_count_trials_and_a_baseline_once():
    ledger = Ledger(Budget(virtual_s=5.0))
    env = Budgeted(Counter(), ledger)
    env.reset(seed=1)
    env.reset()
    assert ledger.virtual_s == 1.0
    assert not env.step(1)[3]
    assert env.step(1)[3]
    assert (ledger.virtual_s, ledger.evaluations) == (5.0, 2)


def test_no_more_is_prefetched_than_may_be_evaluated():
    env = Budgeted(Counter(), Ledger(Budget(evaluations=2)))
    env.reset(seed=1)
    env.prefetch([1, 1, 1])
    assert env.unwrapped.prefetched == [1, 1]
    unlimited = Budgeted(Counter(), Ledger(Budget(virtual_s=9)))
    unlimited.prefetch([1, 1, 1])
    assert unlimited.unwrapped.prefetched == [1, 1, 1]
