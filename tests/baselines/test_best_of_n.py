"""Best of n: where it stops."""

from types import SimpleNamespace

import gymnasium as gym
import pytest

from schedcp_gym.baselines.best_of_n.agent import BARREN, BestOfN
from schedcp_gym.envs import env_id
from schedcp_gym.envs.wrappers import Budget, Ledger
from schedcp_gym.lab import Lab
from schedcp_gym.llm import LlmBudgetSpent


class Model:
    """Answers some samples with something that can be read."""

    def __init__(self, readable):
        self.readable = readable
        self.asked = 0

    def chat(self, role, messages, *, answer, sample):
        self.asked += 1
        return SimpleNamespace(ok=sample in self.readable, answer=None)


@pytest.mark.parametrize("workers", [1, 2, 8])
@pytest.mark.parametrize(("readable", "asked"), [((), BARREN), ((0, 3), 4 + BARREN)])
def test_it_gives_up_at_the_same_sample_however_many_are_measured_at_once(workers, readable, asked):
    task = gym.make(env_id("schbench", "Synth"), disable_env_checker=True, lab=Lab(workers=workers), max_steps=50)
    model, agent = Model(readable), BestOfN(example=None)
    given = SimpleNamespace(env=task, ledger=Ledger(Budget(evaluations=50)), llm=model, tell=lambda text: None)
    barren = 0
    while barren < BARREN:
        _, barren, stop = agent._batch(given, [], model.asked, barren)
        assert stop is None
    assert model.asked == asked


def test_what_stops_it_comes_with_what_was_answered():
    model = Model(())
    answers = model.chat

    def chat(role, messages, **options):
        if model.asked == 2:
            raise LlmBudgetSpent("calls", 2)
        return answers(role, messages, **options)

    model.chat = chat
    task = gym.make(env_id("schbench", "Synth"), disable_env_checker=True, lab=Lab(workers=2), max_steps=50)
    given = SimpleNamespace(env=task, ledger=Ledger(Budget(evaluations=50)), llm=model, tell=lambda text: None)
    batch, barren, stop = BestOfN(example=None)._batch(given, [], 0, 1)
    assert (len(batch), barren, type(stop)) == (2, 3, LlmBudgetSpent)
