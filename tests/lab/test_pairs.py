"""Pairs on the real clock: when they stop, what counts, and in which order they run."""

import dataclasses
import math

import pytest
from store_examples import policy, workload

from schedcp_gym.lab.execute import Local
from schedcp_gym.lab.pairs import Precision, measure_pairs
from schedcp_gym.spec import BadInput, Clock, MachineSpec, Measurement, Outcome, Trial
from schedcp_gym.spec.interval import half_width

TRIAL = Trial(policy("fifo"), workload("longtail"), MachineSpec(clock=Clock.REAL))


def measurement(makespan_s, **more):
    metrics = dict.fromkeys(workload("longtail").metrics, 1.0) | {"makespan_s": makespan_s}
    return Measurement("t", Outcome.OK, metrics, timings_s={"total": 10.0}, **more)


class ScriptedLab:
    """Gives what a script says: the policy's makespans, and those of EEVDF (1 s)."""

    executor, workers = Local(1), 1

    def __init__(self, *script):
        self.script, self.order = list(script), []

    def measure_in_turn(self, groups):
        self.order += [[trial.policy.name for trial in group] for group in groups]
        found = [self.script.pop(0) for _ in groups]
        return [
            tuple(measurement(1.0) if trial.policy.is_eevdf else own for trial in group)
            for group, own in zip(groups, found, strict=True)
        ]


def test_it_stops_when_the_interval_is_narrow_enough():
    lab = ScriptedLab(*(measurement(value) for value in (0.5, 0.6, 0.5, 0.501, 0.5, *[0.5] * 30)))
    found = measure_pairs(lab, TRIAL, precision=Precision(half_width=0.04, most=30))
    assert found.ended == "precise"
    assert 4 < len(found.pairs) < 30
    assert found.half_width <= 0.04
    assert half_width([pair.reward for pair in found.pairs[:-1]], 0.95) > 0.04
    assert found.reward == pytest.approx(-math.log(0.5), abs=0.04)


def test_it_stops_at_the_most_pairs_and_at_the_end_of_the_budget():
    noisy = [measurement(value) for value in (0.5, 1.0) * 10]
    assert len(measure_pairs(ScriptedLab(*noisy), TRIAL, precision=Precision(most=6)).pairs) == 6
    found = measure_pairs(ScriptedLab(*noisy), TRIAL, precision=Precision(budget_s=61))
    assert (found.ended, len(found.pairs)) == ("budget", 4)


def test_what_was_disturbed_or_failed_by_the_host_is_kept_marked_and_measured_again():
    spoilt = measurement(9.0, contaminated=True)
    lost = dataclasses.replace(measurement(9.0), outcome=Outcome.INFRA_FAULT, metrics={})
    lab = ScriptedLab(spoilt, measurement(0.5), lost, measurement(0.5), measurement(0.5))
    found = measure_pairs(lab, TRIAL)
    assert [pair.reward is None for pair in found.pairs] == [True, False, True, False, False]
    assert [pair.contaminated for pair in found.pairs] == [True, False, False, False, False]
    assert found.reward == pytest.approx(math.log(2))
    assert found.ended == "precise"


def test_a_policys_own_failure_is_not_tried_again():
    lab = ScriptedLab(dataclasses.replace(measurement(1.0), outcome=Outcome.EJECTED, metrics={}))
    found = measure_pairs(lab, TRIAL)
    assert (found.ended, len(found.pairs)) == ("failed", 1)
    assert found.reward < 0


def test_the_order_within_pairs_is_drawn_and_the_same_for_a_seed():
    def order(seed):
        lab = ScriptedLab(*(measurement(value) for value in (0.5, 1.0) * 10))
        measure_pairs(lab, TRIAL, precision=Precision(most=12), seed=seed)
        return lab.order

    assert order(1) == order(1) != order(2)
    assert {tuple(pair) for pair in order(1)} == {("fifo", "eevdf"), ("eevdf", "fifo")}


def test_pairs_of_the_virtual_clock_make_no_sense():
    with pytest.raises(BadInput, match="exact"):
        measure_pairs(ScriptedLab(), dataclasses.replace(TRIAL, machine=MachineSpec()))
