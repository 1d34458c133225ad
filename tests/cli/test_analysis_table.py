"""What ``analyze`` prints for a person, and how it reads its options."""

import io
import re

import pytest
from rich.console import Console
from typer.testing import CliRunner

from schedcp_gym.cli import app
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


def test_a_run_that_failed_under_the_probes_is_said_once():
    runs = {name: {"fault": "timeout: not over", "outcome": "timeout"} for name in ("bcc", "perf_stat")}
    text = shown(data={"profiles": {"runq_latency": {"unit": "us", "says": "waits", "by": {}}}, "runs": runs})
    assert text.count("the run failed: timeout: not over") == 1


def test_other_answers_are_shown_as_the_model_gets_them_with_the_cost():
    text = shown(text="Tasks [2]: none", tokens=9, host_s=1.25, guest_s=3.0)
    assert text.splitlines()[0] == "Tasks [2]: none"
    assert text.splitlines()[-1] == "cost: 9 tokens, 1.2 host s, 3.0 guest s"
    again = Analysis(tier=Tier.SUMMARY, name="n", workload="w", text="", host_s=2.0, cached=True)
    assert "from the cache" in cost_text(again)


def test_what_is_asked_follows_from_the_options():
    assert _question(None, []) == "summary"
    assert _question(None, ["--profile"]) == "profile"
    assert _question(Tier.PROFILE, []) == "profile"
    assert _question(None, ["--probe"]) == "probe"
    assert _question(Tier.PROFILE, ["--file"]) == "file"
    assert _question(None, ["--files"]) == "files"
    assert _question(Tier.SUMMARY, ["--changes"]) == "changes"
    assert _question(Tier.FEEDBACK, []) == "feedback"


@pytest.mark.parametrize(
    ("tier", "options", "says"),
    [
        (None, ["--profile", "--probe"], "use only one of --profile and --probe"),
        (Tier.SUMMARY, ["--profile"], "--profile belongs to --tier profile, not summary"),
        (Tier.FEEDBACK, ["--file"], "--file belongs to --tier profile, not feedback"),
        (Tier.PROFILE, ["--changes"], "--changes belongs to --tier summary, not profile"),
    ],
)
def test_two_questions_at_once_are_refused(tier, options, says):
    with pytest.raises(BadInput, match=says):
        _question(tier, options)


def test_parts_are_a_table_and_a_file_keeps_its_lines():
    medians = {"running_cpus": 1.5, "burst_us": 8000.0}
    parts = [
        {"from_s": 0.0, "to_s": 1.5, "behaviour": False, "medians": medians},
        {"from_s": 1.5, "to_s": 2.0, "behaviour": True, "medians": medians},
    ]
    text = shown(text="w: behaviour changes\nnot shown", data={"parts": parts, "changes": []})
    assert text.startswith("w: behaviour changes\n")
    assert "not shown" not in text
    assert "*1.50" in text
    assert "8,000" in text
    long = "x " * 200
    assert long in shown(text=long, data={"path": "run.py"})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--probe", "/dev/zero"], "/dev/zero is not a regular file"),
        (["--probe", "/nonesuch.c"], "/nonesuch.c does not exist"),
        (["--profile", "runq"], "unknown profile 'runq'"),
        (["--probe", "/dev/null"], "/dev/null is not a regular file"),
        (["--last", "fifo"], "--last has no effect here: use it with --tier feedback"),
        (["--profile", "perf_stat", "--objective", "fair"], "--objective has no effect here: .* --tier feedback"),
        (["--files", "--first-line", "3"], "--first-line has no effect here: use it with --file"),
        (["--tier", "feedback"], "feedback needs a policy: name it with --policy"),
        (["--tier", "feedback", "--policy", "fifo", "--set-last", "a=1"], "name it with --last"),
        (["--tier", "feedback", "--policy", "fifo", "--last", "vtime", "--set-last", "a"], "--set-last takes NAME="),
        (["--file", "\N{SNOWMAN}" * 200], "unknown file of schbench"),
        (["--file", "../../x"], "outside the workload's folder"),
    ],
)
def test_what_can_not_be_asked_is_refused_before_anything_boots(options, says):
    result = CliRunner().invoke(app, ["analyze", "schbench", *options])
    assert isinstance(result.exception, BadInput)
    assert re.search(says, str(result.exception))
