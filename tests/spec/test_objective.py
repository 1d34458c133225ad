"""From two measurements to a reward."""

import math

import pytest

from schedcp_gym.spec import (
    REWARD_LIMIT,
    Direction,
    Measurement,
    Metric,
    Objective,
    Outcome,
    Scale,
    Workload,
    improvement,
    reward,
    share_of_possible,
)

WORKLOAD = Workload(
    name="w",
    title="t",
    description="d",
    command=["prog"],
    metrics={"wait_us": Metric("us", Direction.MINIMIZE, "d"), "ops_per_s": Metric("1/s", Direction.MAXIMIZE, "d")},
    objective=Objective({"wait_us": 3.0, "ops_per_s": 1.0}),
    scales={scale: {} for scale in Scale},
)
LIMIT = math.exp(REWARD_LIMIT)


def measured(wait_us=1.0, ops_per_s=1.0, outcome=Outcome.OK):
    metrics = {"wait_us": wait_us, "ops_per_s": ops_per_s} if outcome is Outcome.OK else {}
    return Measurement("t", outcome, metrics)


def test_less_is_better_or_more_is_better_as_declared():
    assert improvement(WORKLOAD, "wait_us", 50, 100) == 2
    assert improvement(WORKLOAD, "wait_us", 100, 50) == 0.5
    assert improvement(WORKLOAD, "ops_per_s", 100, 50) == 2
    assert improvement(WORKLOAD, "ops_per_s", 50, 100) == 0.5


@pytest.mark.parametrize(
    ("metric", "value", "baseline", "ratio"),
    [
        ("wait_us", 0, 0, 1),
        ("wait_us", 0, 5, LIMIT),
        ("wait_us", 5, 0, 1 / LIMIT),
        ("ops_per_s", 0, 5, 1 / LIMIT),
        ("ops_per_s", 5, 0, LIMIT),
        ("ops_per_s", 1e9, 1, LIMIT),
        ("wait_us", 1e9, 1, 1 / LIMIT),
        ("wait_us", -1, -1, 1),
        ("ops_per_s", 5e-324, 1e308, 1 / LIMIT),
    ],
)
def test_a_ratio_is_limited_and_zero_is_no_accident(metric, value, baseline, ratio):
    assert improvement(WORKLOAD, metric, value, baseline) == pytest.approx(ratio)


def test_the_baseline_earns_exactly_zero():
    assert reward(WORKLOAD, measured(3.3, 7.7), measured(3.3, 7.7)) == 0


def test_the_reward_is_the_weighted_mean_of_log_ratios():
    expected = (3 * math.log(2) + 1 * math.log(1 / 3)) / 4
    assert reward(WORKLOAD, measured(50, 10), measured(100, 30)) == pytest.approx(expected)


def test_another_objective_replaces_the_workloads_own():
    only = Objective({"ops_per_s": 5.0})
    assert reward(WORKLOAD, measured(1, 20), measured(100, 10), only) == pytest.approx(math.log(2))


def test_a_reward_stays_within_its_limits():
    assert reward(WORKLOAD, measured(1e-9, 1e9), measured(1e9, 1e-9)) == pytest.approx(REWARD_LIMIT)
    assert reward(WORKLOAD, measured(1e9, 1e-9), measured(1e-9, 1e9)) == pytest.approx(-REWARD_LIMIT)


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.OK])
def test_every_failure_earns_the_least_there_is(outcome):
    assert reward(WORKLOAD, measured(outcome=outcome), measured()) == -REWARD_LIMIT


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.OK])
def test_without_a_baseline_there_is_no_reward(outcome):
    with pytest.raises(ValueError, match=outcome.value):
        reward(WORKLOAD, measured(), measured(outcome=outcome))


FAIR = Objective({"wait_us": 1.0}, floors={"ops_per_s": 0.9})


def test_above_its_floors_an_objective_earns_what_it_would_without_them():
    assert reward(WORKLOAD, measured(50, 91), measured(100, 100), FAIR) == pytest.approx(math.log(2))
    assert reward(WORKLOAD, measured(200, 91), measured(100, 100), FAIR) == pytest.approx(math.log(1 / 2))


def test_what_falls_below_a_floor_costs_its_shortfall_and_a_gain_elsewhere_earns_nothing():
    shortfall = math.log(0.9) - math.log(0.5)
    assert reward(WORKLOAD, measured(50, 50), measured(100, 100), FAIR) == pytest.approx(-shortfall)
    assert reward(WORKLOAD, measured(200, 50), measured(100, 100), FAIR) == pytest.approx(math.log(0.5) - shortfall)


def test_a_floor_follows_its_metrics_direction():
    calm = Objective({"ops_per_s": 1.0}, floors={"wait_us": 0.5})
    assert reward(WORKLOAD, measured(199, 200), measured(100, 100), calm) == pytest.approx(math.log(2))
    assert reward(WORKLOAD, measured(400, 200), measured(100, 100), calm) == pytest.approx(math.log(0.25 / 0.5))


def test_every_floor_that_is_broken_counts():
    both = Objective({"ops_per_s": 1.0}, floors={"wait_us": 1.0, "ops_per_s": 1.0})
    lost = math.log(0.5)
    assert reward(WORKLOAD, measured(200, 50), measured(100, 100), both) == pytest.approx(3 * lost)


def test_eevdf_is_at_no_floor_and_earns_zero_under_the_strictest():
    strict = Objective({"wait_us": 1.0}, floors={"wait_us": 1.0, "ops_per_s": 1.0})
    assert reward(WORKLOAD, measured(3.3, 7.7), measured(3.3, 7.7), strict) == 0


def test_a_broken_floor_leaves_the_reward_within_its_limits():
    assert reward(WORKLOAD, measured(1e9, 1e-9), measured(1e-9, 1e9), FAIR) == -REWARD_LIMIT


@pytest.mark.parametrize(
    ("objective", "reason"),
    [
        (Objective({"wait_us": 1.0}, floors={"nosuch": 0.9}), "nosuch is not among the metrics"),
        (Objective({"wait_us": 1.0}, floors={"ops_per_s": 0.0}), "floors must be above 0"),
        (Objective({"wait_us": 1.0}, floors={"ops_per_s": 1.1}), "at most 1"),
        (Objective({"wait_us": 1.0}, floors={"ops_per_s": float("nan")}), "floors"),
        (Objective({"wait_us": 1.0}, bound="nosuch"), "nosuch is not among the metrics"),
        (Objective({"wait_us": math.inf}), "finite"),
        (Objective({}), "at least one"),
    ],
)
def test_an_objective_that_can_not_be_computed_is_refused(objective, reason):
    with pytest.raises(ValueError, match=reason):
        objective.check(WORKLOAD.metrics)


BOUND = Objective({"wait_us": 1.0}, bound="ops_per_s")


def test_the_share_of_what_is_possible_is_one_at_the_bound_and_falls_away_from_it():
    assert share_of_possible(WORKLOAD, measured(10, 10), BOUND) == 1
    assert share_of_possible(WORKLOAD, measured(40, 10), BOUND) == 0.25
    most = Objective({"ops_per_s": 1.0}, bound="wait_us")
    assert share_of_possible(WORKLOAD, measured(40, 10), most) == 0.25


def test_a_bound_that_was_beaten_is_not_hidden():
    assert share_of_possible(WORKLOAD, measured(8, 10), BOUND) == 1.25


def test_without_a_bound_or_a_value_nothing_is_said_of_what_is_possible():
    assert share_of_possible(WORKLOAD, measured(1, 1)) is None
    assert share_of_possible(WORKLOAD, measured(outcome=Outcome.TIMEOUT), BOUND) is None
    assert share_of_possible(WORKLOAD, measured(0, 1), BOUND) is None
