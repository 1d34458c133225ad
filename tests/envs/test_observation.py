"""What is seen of a measurement."""

import math

import numpy as np
import pytest

from schedcp_gym.envs.observation import EVENTS, OUTCOMES, nameable, observation_space, observe
from schedcp_gym.envs.render import Step, episode_text
from schedcp_gym.lab.catalogue import load_workload
from schedcp_gym.spec import Measurement, Outcome, Policy

LONGTAIL = load_workload("longtail")
FIGURES = {"makespan_s": 2.0, "bound_s": 1.0, "mean_completion_s": 1.0, "jobs_per_s": 20.0}
EEVDF = Measurement("t", Outcome.OK, FIGURES, utilisation=0.5, cpu_s_by_name={"b": 1.0, "a": 1.0, "(sd-pam)": 2.0})


def test_metrics_are_log_improvements_in_order_of_name():
    better = Measurement("t", Outcome.OK, {**FIGURES, "makespan_s": 1.0, "jobs_per_s": 40.0, "bound_s": 0.0})
    seen = observe(LONGTAIL, better, EEVDF, 0.7, 0.5)
    assert seen in observation_space(LONGTAIL)
    assert seen["metrics"] == pytest.approx([3, math.log(2), math.log(2), 0])
    assert seen["best_reward"] == pytest.approx([0.7])


@pytest.mark.parametrize("outcome", [one for one in Outcome if one is not Outcome.OK])
def test_failures_are_the_worst_and_finite(outcome):
    seen = observe(LONGTAIL, Measurement("", outcome), EEVDF, 0.0, 0.0)
    assert seen in observation_space(LONGTAIL)
    assert (seen["metrics"] == -3).all()
    assert OUTCOMES[seen["outcome"]] is outcome


def test_extremes_stay_within_the_space():
    wild = Measurement(
        "t",
        Outcome.OK,
        dict.fromkeys(FIGURES, 1e300),
        events={EVENTS[0]: 2**63, EVENTS[1]: -5, "SCX_EV_OF_ANOTHER_KERNEL": 1},
        utilisation=1.0,
        cpu_s_by_name={f"p{number}": 1e-3 for number in range(50)},
    )
    seen = observe(LONGTAIL, wild, EEVDF, 99.0, 1.0)
    assert seen in observation_space(LONGTAIL)
    assert seen["events"][0] == pytest.approx(63 * math.log(2))
    assert all(np.isfinite(part).all() for part in seen.values())


def test_names_go_by_cpu_time_and_can_be_said():
    assert nameable(EEVDF) == ["a", "b"]  # "(sd-pam)" begins with what no text tunable may hold


def test_render_shows_every_step():
    steps = [
        Step(Policy("fifo", "x", (("slice_us", 300), ("strict", True))), Measurement("t", Outcome.OK, FIGURES), 0.0),
        Step(Policy("-"), Measurement("", Outcome.REJECTED), -3.0),
    ]
    text = episode_text(LONGTAIL, LONGTAIL.objective, 7, EEVDF, steps)
    assert "makespan_s (less is better)" in text
    assert "slice_us=300 strict=true" in text
    assert "rejected" in text
    assert "\x1b" not in text
