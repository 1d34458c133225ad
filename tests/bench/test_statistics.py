"""Statistics over runs, against closed forms and scipy."""

import numpy as np
import pytest
from scipy.stats import trim_mean

from schedcp_gym.bench import statistics


def test_interquartile_mean_is_the_middle_half_of_all_runs():
    assert statistics.interquartile_mean([[-100, 1, 2, 3], [4, 5, 6, 100]]) == pytest.approx((2 + 3 + 4 + 5) / 4)


def test_gap_and_profile():
    scores = [[0.0, 0.5], [1.0, 2.0]]
    assert statistics.optimality_gap(scores, 1.0) == pytest.approx((1.0 + 0.5) / 4)
    assert statistics.performance_profile(scores, [-1, 0, 0.7, 2]).tolist() == [1, 0.75, 0.5, 0]


def test_probability_of_improvement_counts_pairs_by_task():
    assert statistics.probability_of_improvement([[1, 2], [0, 0]], [[0, 2], [0, 0]]) == pytest.approx(
        ((1 + 0 + 1 + 0.5) / 4 + 0.5) / 2
    )
    with pytest.raises(ValueError, match="zip"):
        statistics.probability_of_improvement([[1, 2]], [[1], [2]])


def test_interval_is_stratified_and_repeats():
    # Runs of a task are equal: whatever is drawn within a task, the figure stays. Drawn over tasks it would not.
    still = statistics.stratified_interval([[0.0, 0.0], [1.0, 1.0]])
    assert (still.low, still.high) == (still.value, still.value)
    scores = np.random.default_rng(1).normal(size=(3, 8))
    one = statistics.stratified_interval(scores.tolist())
    assert one == statistics.stratified_interval(scores.tolist())
    rng = np.random.default_rng(7)
    drawn = [trim_mean(np.concatenate([rng.choice(task, task.size) for task in scores]), 0.25) for _ in range(4000)]
    assert [one.low, one.high] == pytest.approx(np.quantile(drawn, [0.025, 0.975]).tolist(), abs=0.05)


def test_a_missing_score_is_refused():
    with pytest.raises(ValueError, match="failure"):
        statistics.interquartile_mean([[1.0, float("nan")]])
    assert np.isnan(statistics.stratified_interval([[1.0]]).low)
