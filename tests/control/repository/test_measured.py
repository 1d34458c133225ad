"""A measurement as a result: what is kept of it, and how it is scored."""

import math

import pytest

from schedcp_gym.control.repository import machine_label, result_of
from schedcp_gym.lab import catalogue
from schedcp_gym.spec import Clock, MachineSpec, Measurement, Objective, Outcome, Trial


def trial(policy="ljf", tunables=None, machine=None):
    chosen = catalogue.load_policy(policy, tunables or {})
    return Trial(chosen, catalogue.load_workload("longtail"), machine or MachineSpec(), seed=3)


def measured(makespan_s, completion_s=2.0):
    metrics = {"makespan_s": makespan_s, "mean_completion_s": completion_s}
    return Measurement("t", Outcome.OK, metrics)


def test_result_of_a_measurement(repository):
    one = trial(tunables={"favour": "ember"})
    result = result_of(one, measured(5.0), measured(10.0))
    assert result.reward == pytest.approx(math.log(2))
    assert (result.policy, result.values, result.seed) == ("ljf", {"favour": "ember"}, 3)
    assert (result.workload_class, result.machine, result.trial) == ("batch", "virtual-2cpu-1024mib", one.digest)
    kept = repository.record(result)[0]
    assert repository.results("ljf") == [kept]


def test_failure_is_scored_and_fault_or_missing_baseline_is_not():
    failed = Measurement("t", Outcome.EJECTED, message="stalled")
    assert result_of(trial(), failed, measured(10.0)).reward == -3.0
    assert result_of(trial(), Measurement("t", Outcome.INFRA_FAULT), measured(10.0)).reward is None
    assert result_of(trial(), measured(5.0)).reward is None
    assert result_of(trial(), measured(5.0), failed).reward is None


def test_another_objective_scores_otherwise():
    result = result_of(trial(), measured(5.0, 4.0), measured(10.0, 2.0), objective="latency")
    assert result.objective == "latency"
    assert result.reward == pytest.approx(-math.log(2))


def test_machine_in_a_word():
    assert machine_label(MachineSpec(cpus=4, clock=Clock.REAL)) == "real-4cpu-1024mib"


def test_real_clocks_repetitions_are_results_of_their_own(repository):
    one = trial(machine=MachineSpec(clock=Clock.REAL))
    for makespan_s in (5.0, 5.1):
        repository.record(result_of(one, measured(makespan_s), measured(10.0)))
    assert len(repository.results("ljf")) == 2


def test_an_objective_of_ones_own_has_a_name_of_its_own():
    objectives = [None, Objective({"makespan_s": 1}), Objective({"mean_completion_s": 1})]
    results = [result_of(trial(), measured(5.0), measured(10.0), objective=each) for each in objectives]
    assert [result.reward for result in results] == pytest.approx([math.log(2), math.log(2), 0])
    assert len({result.objective for result in results}) == 3
    assert results[0].objective == ""
