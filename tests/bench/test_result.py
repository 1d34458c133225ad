"""What results come to: ratios, shares of what is possible, sums and medians."""

import math

import pytest
from bench_examples import BATCH, EEVDF, FAST, measured, result

from schedcp_gym.bench import BenchResult, totals
from schedcp_gym.bench.result import median_of
from schedcp_gym.spec import REWARD_LIMIT, Outcome


def test_a_result_is_held_against_eevdf_and_against_what_is_possible():
    found = result(2.5, 5.0)
    assert (found.metric, found.value, found.unit, found.bound) == ("makespan_s", 2.5, "s", 2.0)
    assert found.ratio == pytest.approx(2.0)
    assert found.possible == pytest.approx(0.8)


def test_a_failure_has_no_value_and_the_least_ratio():
    found = result(outcome=Outcome.EJECTED)
    assert found.value is None
    assert found.possible is None
    assert found.reward == -REWARD_LIMIT


@pytest.mark.parametrize(
    ("measurement", "baseline"),
    [
        (measured(), None),
        (measured(), measured(outcome=Outcome.TIMEOUT)),
        (measured(outcome=Outcome.INFRA_FAULT), measured()),
    ],
)
def test_what_can_not_be_scored_has_no_ratio(measurement, baseline):
    assert BenchResult(FAST, BATCH, BATCH.objective, 0, measurement, baseline).ratio is None


def test_the_mean_over_workloads_is_geometric_and_failures_count_as_the_worst():
    (total,) = totals([result(2.0, 4.0), result(8.0, 4.0), result(2.0, 4.0)])
    assert total.ratio == pytest.approx(2 ** (1 / 3))
    (total,) = totals([result(2.0, 4.0), result(outcome=Outcome.TIMEOUT)])
    assert total.ratio == pytest.approx(math.exp((math.log(2) - REWARD_LIMIT) / 2))
    assert (total.trials, total.ok, total.scored) == (2, 1, 2)


def test_a_fault_of_the_host_is_no_failure_of_the_policy():
    (total,) = totals([result(2.0, 4.0), result(outcome=Outcome.INFRA_FAULT)])
    assert total.ratio == pytest.approx(2.0)
    assert (total.trials, total.ok, total.scored) == (2, 1, 1)


def test_each_policy_has_a_sum_of_its_own_in_order():
    sums = totals([result(policy=EEVDF, host_s=2.5), result(2.0), result(policy=EEVDF, host_s=1.5, cached=True)])
    assert [(total.policy, total.trials, total.host_s, total.cached) for total in sums] == [
        ("eevdf", 2, 4.0, 1),
        ("fast", 1, 1.0, 0),
    ]
    assert sums[0].ratio == 1.0
    assert sums[0].possible == pytest.approx(0.5)
    assert totals([]) == []


def test_the_median_is_of_each_figure_and_time_is_summed():
    found = median_of([measured(3.0, utilisation=0.5), measured(9.0, utilisation=0.9), measured(4.0, utilisation=0.7)])
    assert found.metrics == {"makespan_s": 4.0, "bound_s": 2.0, "jobs_per_s": 2.5}
    assert found.utilisation == 0.7
    assert found.timings_s == {"total": 3.0}


def test_of_one_measurement_the_median_is_itself():
    one = measured(3.0)
    assert median_of([one]) is one
    with pytest.raises(ValueError, match="no measurement"):
        median_of([])


def test_one_failure_stands_for_all_repeats_but_a_fault_of_the_host_does_not():
    found = median_of([measured(3.0), measured(outcome=Outcome.EJECTED), measured(4.0)])
    assert found.outcome is Outcome.EJECTED
    assert found.metrics == {}
    found = median_of([measured(3.0), measured(outcome=Outcome.INFRA_FAULT), measured(5.0)])
    assert found.ok
    assert found.metrics["makespan_s"] == 4.0
    assert median_of([measured(outcome=Outcome.INFRA_FAULT)] * 2).outcome is Outcome.INFRA_FAULT
