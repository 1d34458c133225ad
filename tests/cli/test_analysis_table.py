"""What ``analyze`` prints for a person, and how it reads its options."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from schedcp_gym.cli.analysis_table import cost_text, histogram_text, print_analysis
from schedcp_gym.cli.analyze import _question
from schedcp_gym.control.analysis import Analysis, Tier
from schedcp_gym.spec import BadInput

HISTOGRAM = {"buckets": [[0, 1, 2], [1, 2, 0], [2, 4, 40], [4, 8, 1]], "count": 43, "p50": 2.9, "p99": 7.1}


def shown(**fields):
    target = io.StringIO()
    answer = Analysis(**{"tier": Tier.PROFILE, "name": "n", "workload": "w", "text": "", **fields})
    print_analysis(answer, Console(file=target, width=100, highlight=False))
    return target.getvalue()


def test_a_histogram_has_a_bar_for_each_bucket_and_none_for_an_empty_one():
    head, *rows = histogram_text("prog", HISTOGRAM, "us").splitlines()
    assert head == "prog: 43 times, p50 2.9 p99 7.1 us"
    assert [row.count("█") for row in rows] == [2, 0, 40, 1]
    assert [row.split()[-1] for row in rows] == ["2", "0", "40", "1"]
    assert len({row.index("│") for row in rows}) == 1


def test_a_rare_bucket_is_seen_and_an_empty_histogram_does_no_harm():
    rare = {"buckets": [[0, 1, 1], [1, 2, 10_000]], "count": 10_001}
    assert "▏" in histogram_text("prog", rare, "us").splitlines()[1]
    assert histogram_text("prog", {"buckets": [], "count": 0}, "us") == "prog: 0 times,  us"


def test_a_long_gap_between_buckets_is_not_drawn():
    buckets = [[1 << place, 2 << place, int(place in (0, 2, 20))] for place in range(21)]
    rows = histogram_text("prog", {"buckets": buckets, "count": 3}, "us").splitlines()[1:]
    assert [row.split()[0] for row in rows] == ["1", "2", "4", "…", "1,048,576"]


def test_profiles_are_drawn_by_name_the_largest_first_and_not_all():
    by = {f"p{place}": {**HISTOGRAM, "total": place} for place in range(6)}
    text = shown(data={"profiles": {"runq_latency": {"unit": "us", "says": "waits", "by": by}}})
    assert text.startswith("runq_latency: waits\np5: 43 times")
    assert "p1:" not in text
    assert "and 2 more names" in text


def test_a_tools_table_is_a_table_and_names_from_the_guest_can_not_harm_the_terminal():
    rows = [["\x1b[31mevil[bold]", 1.5, None]]
    text = shown(data={"profiles": {"perf_stat": {"unit": "", "columns": ["a", "b", "c"], "rows": rows, "by": {}}}})
    assert "\\u001b[31mevil[bold]" in text
    assert "\x1b" not in text


def test_other_answers_are_shown_as_the_model_gets_them_with_the_cost():
    text = shown(text="Tasks [2]: none", tokens=9, host_s=1.25, guest_s=3.0)
    assert text.splitlines()[0] == "Tasks [2]: none"
    assert text.splitlines()[-1] == "cost: 9 tokens, 1.2 host s, 3.0 guest s"
    again = Analysis(tier=Tier.SUMMARY, name="n", workload="w", text="", host_s=2.0, cached=True)
    assert "from the cache" in cost_text(again)


def test_what_is_asked_follows_from_the_options():
    assert _question(None, None, None, None) == "summary"
    assert _question(None, ["runq_latency"], None, None) == "profile"
    assert _question(Tier.PROFILE, None, None, None) == "profile"
    assert _question(None, None, Path("x.c"), None) == "probe"
    assert _question(None, None, None, "run.py") == "file"
    assert _question(None, None, None, None, files=True) == "files"
    assert _question(Tier.FEEDBACK, None, None, None) == "feedback"


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ((None, ["a"], Path("x.c"), None), "one question at a time: --profile or --probe"),
        ((Tier.SUMMARY, ["a"], None, None), "--profile is of the tier profile, not summary"),
        ((Tier.FEEDBACK, None, None, "x"), "--file is of the tier profile, not feedback"),
    ],
)
def test_two_questions_at_once_are_refused(asked, says):
    with pytest.raises(BadInput, match=says):
        _question(*asked)
