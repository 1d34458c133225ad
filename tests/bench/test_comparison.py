"""Agents side by side: figures against what can be reckoned by hand."""

import math

import pytest

from schedcp_gym.bench.comparison import Score, SearchStep, as_plain, compare_scores, curves, profiles, rows_of
from schedcp_gym.bench.comparison_plot import write_comparison


def score(agent, task, seed, value, *, to_bound=None, usd=0.0, steps=()):
    return Score(f"{agent}-{task}-{seed}", agent, task, seed, value, None, to_bound, 4, 10.0, 100.0 * seed, usd, steps)


GOOD = [score("good", task, seed, 0.1 * seed, to_bound=0.2) for task in "ab" for seed in (1, 2, 3, 4)]
FAILED = [score("failed", task, seed, -3.0, usd=None) for task in "ab" for seed in (1, 2)]


def test_figures():
    found = compare_scores([*FAILED, *GOOD], {"a": [0.0, 0.0], "b": [0.0]})
    good, failed = found.figures  # the best first
    assert good.iqm.value == pytest.approx(0.25)
    assert good.iqm.low < 0.25 < good.iqm.high
    assert (good.runs, good.tasks, good.worse, failed.worse) == (8, 2, 0, 4)
    assert good.gap_to_bound.value == pytest.approx(0.2)
    assert good.gap_to_best.value == pytest.approx((0.3 + 0.2 + 0.1) / 4)
    assert failed.gap_to_bound is None
    assert failed.gap_to_best.value == pytest.approx(3.4)
    assert (good.above_eevdf.value, failed.above_eevdf.value) == (1.0, 0.0)
    assert found.improvement == {"good": {"failed": 1.0}, "failed": {"good": 0.0}}
    assert (good.tokens, good.usd, failed.usd) == (250.0, 0.0, None)
    assert good.profile[:5] == (1.0, 1.0, 1.0, 1.0, 0.5)  # above 1.25x: 0.3 and 0.4
    assert (found.control.pairs, found.control.iqm.value, found.control.largest) == (3, 0.0, 0.0)


def test_agents_meet_on_the_tasks_that_both_have():
    found = compare_scores([score("x", "a", 1, 0.1), score("y", "a", 1, 0.1), score("y", "b", 1, 0.9)], {})
    assert found.improvement["x"]["y"] == 0.5
    assert compare_scores([score("x", "a", 1, 0.1), score("y", "b", 1, 0.1)], {}).improvement["x"] == {"y": None}
    assert math.isnan(found.figures[0].iqm.low)  # one seed says nothing of the next
    assert as_plain(found)["agents"][0]["iqm_low"] is None
    assert found.control is None


def test_curves_keep_the_best_and_a_search_without_any_is_the_worst():
    steps = (SearchStep(1, 2.0, -3.0), SearchStep(2, 4.0, 0.5), SearchStep(3, 9.0, 0.5))
    rows = curves(compare_scores([score("x", "a", 1, 0.1, steps=steps)], {}))
    by_evaluation = [row["best_ratio"] for row in rows if row["by"] == "evaluations"]
    assert by_evaluation == pytest.approx([math.exp(-3), math.exp(0.5), math.exp(0.5)])
    assert [row["at"] for row in rows if row["by"] == "virtual_s"][-1] == 9.0


def test_curves_over_tokens_are_of_those_that_spent_some():
    steps = (SearchStep(1, 2.0, -3.0, 100, 0.0), SearchStep(2, 4.0, 0.5, 200, 0.0))
    without = (SearchStep(1, 2.0, 0.1),)
    rows = curves(compare_scores([score("x", "a", 1, 0.1, steps=steps), score("y", "a", 1, 0.1, steps=without)], {}))
    mine = [row for row in rows if row["by"] == "tokens"]
    assert {row["agent"] for row in mine} == {"x"}
    assert (mine[-2]["best_ratio"], mine[-1]["best_ratio"]) == pytest.approx((math.exp(-3), math.exp(0.5)))
    assert not [row for row in rows if row["by"] == "usd"]
    late = (SearchStep(1, 2.0, 0.1), SearchStep(2, 4.0, 0.5, 200, 0.0))  # begun before records had it
    assert not [
        row for row in curves(compare_scores([score("z", "a", 1, 0.1, steps=late)], {})) if row["by"] == "tokens"
    ]


def test_profile_falls_from_all_to_none():
    shares = [row["share"] for row in profiles(compare_scores(GOOD, {}))]
    assert shares[0] == 1.0
    assert shares[-1] == 0.0
    assert shares == sorted(shares, reverse=True)


def test_csv_rows_and_picture(tmp_path):
    found = compare_scores([*FAILED, *GOOD], {"a": [0.0, 0.0]})
    assert [row["agent"] for row in rows_of(found)] == ["good", "failed", "EEVDF against EEVDF"]
    write_comparison(found, tmp_path / "agents.svg")
    text = (tmp_path / "agents.svg").read_text()
    assert "EEVDF against EEVDF" in text
    assert "share of runs above" in text


def test_names_cant_end_a_pages_script(tmp_path):
    evil = "</script><script>alert(1)</script>"
    write_comparison(compare_scores([score(evil, "a", seed, 0.1) for seed in (1, 2)], {}), tmp_path / "agents.html")
    text = (tmp_path / "agents.html").read_text()
    assert evil not in text
    assert r"\u003c/script>\u003cscript>alert(1)" in text
