import math
import random

import pytest

from schedcp_gym.control.analysis.changes import (
    Aspect,
    Series,
    Threshold,
    Thresholds,
    detect,
    load_thresholds,
    series_of,
)
from schedcp_gym.spec import BadInput

THRESHOLDS = Thresholds({"x": Threshold(2.0, 5.0)})


def find(values, thresholds=THRESHOLDS):
    return detect(Series(0.5, {"x": tuple(values)}), thresholds)


def noisy(level, count, seed=1):
    draw = random.Random(seed)
    return [level * math.exp(draw.gauss(0, 0.2)) for _ in range(count)]


def test_a_step_is_found_where_it_is():
    (change,) = find(noisy(10, 60) + noisy(40, 40))
    assert change.at_s == 30.0
    assert change.before == pytest.approx(10, rel=0.1)
    assert change.after == pytest.approx(40, rel=0.1)


def test_several_steps_are_found_in_order():
    changes = find(noisy(10, 40) + noisy(100, 40) + noisy(20, 40))
    assert [change.at_s for change in changes] == [20.0, 40.0]


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_no_change(seed):
    assert find(noisy(10, 100, seed)) == []
    assert find(noisy(0.5, 100, seed)) == []


def test_bursts_are_no_change():
    draw = random.Random(3)
    assert find([draw.choice((0, 0, 0, 200)) for _ in range(200)]) == []


def test_odd_windows_start_and_end_are_no_change():
    assert find([500] * 4 + noisy(10, 92) + [0] * 4) == []
    assert find([*noisy(10, 50), 1000, *noisy(10, 50)]) == []


def test_what_a_scheduler_need_not_mind_is_no_change():
    assert find(noisy(1, 50) + noisy(4, 50)) == []  # below the floor
    assert find(noisy(100, 50) + noisy(150, 50)) == []  # below the factor


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 100.0], [0.0] * 50])
def test_short_and_empty_series_have_no_change(values):
    assert find(values) == []


def test_the_steady_workload_has_no_change(trace_of):
    assert detect(series_of(trace_of("schbench")), load_thresholds()) == []


def test_the_tail_of_a_batch_is_the_only_change_in_it(trace_of):
    changes = detect(series_of(trace_of("longtail")), load_thresholds())
    assert {change.metric for change in changes} >= {"waiting_tasks", "running_cpus"}
    assert {change.of for change in changes} == {Aspect.LOAD}
    assert max(change.at_s for change in changes) - min(change.at_s for change in changes) < 0.1


def test_the_turn_from_computing_to_answering_is_found(trace_of):
    changes = detect(series_of(trace_of("phases")), load_thresholds())
    turn = {change.metric: change for change in changes if change.metric in ("wakes_per_s", "burst_us")}
    assert turn["wakes_per_s"].before < 10 < 1000 < turn["wakes_per_s"].after
    assert turn["burst_us"].after < 100 < 5_000 < turn["burst_us"].before
    assert {change.of for change in turn.values()} == {Aspect.BEHAVIOUR}
    assert abs(turn["wakes_per_s"].at_s - turn["burst_us"].at_s) < 0.05


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("metrics: {}", "metrics"),
        ("metrics: {x: {factor: 1, floor: 1}}", "factor"),
        ("metrics: {x: {factor: 2, floor: -1}}", "floor"),
        ("metrics: {x: {factor: 2, floor: 1}}\nnoize: 3", "noize"),
        ("metrics: [", "flow"),
        ("- 1", "dictionary"),
    ],
)
def test_wrong_thresholds_are_refused_in_a_line(tmp_path, text, says):
    path = tmp_path / "thresholds.yaml"
    path.write_text(text)
    with pytest.raises(BadInput, match=says) as caught:
        load_thresholds(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_threshold_for_what_is_not_measured_is_refused():
    with pytest.raises(BadInput, match="no metric 'y'"):
        find([1.0] * 20, Thresholds({"y": Threshold(2.0, 1.0)}))
