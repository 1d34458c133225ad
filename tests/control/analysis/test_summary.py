import dataclasses

import pytest

from schedcp_gym.control.analysis import summary, tokens
from schedcp_gym.lab import catalogue
from schedcp_gym.spec import Policy, Trial


def trial(workload, **changes):
    return Trial(Policy("eevdf"), dataclasses.replace(catalogue.load_workload(workload), **changes))


def test_the_batchs_summary_says_what_to_do(run_of):
    text = summary.write(trial("longtail"), run_of("longtail"))
    assert tokens.count(text) < 400
    for fact in (
        "makespan_s 2.69 (less is better), best possible 1.96",
        "only 1.0 of 2 CPUs busy, by lichen-8176",
        "40 longtail-job processes, each its own name",
        "stands out: lichen-8176",
        "24 x the median, 37 % of all; args --job 2 --records 512500",
        "longtail > 40 longtail-job",
        "41 processes",
    ):
        assert fact in text


def test_the_servers_summary_says_what_to_do(run_of):
    text = summary.write(trial("schbench"), run_of("schbench"))
    assert tokens.count(text) < 400
    for fact in (
        "Objective: p99_request_us 12390 (less is better)",
        "8 schbench-worker threads: 96 %",
        "2 schbench-msg threads: 2 %",
        "timer > schbench-worker",
        "schbench-worker > schbench-msg",
        "preemptions",
        "migrations",
    ):
        assert fact in text
    assert "Last" not in text


@pytest.mark.parametrize("name", ["longtail", "schbench"])
@pytest.mark.parametrize("limit", [400, 200, 100, 60])
def test_what_weighs_least_goes_first(run_of, name, limit):
    text = summary.write(trial(name), run_of(name), limit)
    assert tokens.count(text) < limit
    assert text.startswith(f"{name}: ")


@pytest.mark.parametrize("letters", ["a", "\N{GRINNING FACE}", "\N{CYRILLIC CAPITAL LETTER BIG YUS}", "?\\\"'\n", "7f"])
def test_no_workload_makes_it_longer(run_of, trace_of, letters):
    """Hundreds of groups, and jobs that stand out, with the dearest names and arguments there can be."""
    trace = trace_of("longtail")
    long = (letters * 200)[:200]
    tasks = tuple(
        dataclasses.replace(
            trace.tasks[number % 41],
            slot=number + 1,
            parent=number % 7,
            name=f"{long[: 8 + number % 5]}{chr(97 + number % 26)}"[:15],
            file=f"{long[:25]}{number % 97}" if number % 3 else "",
            args=(long, long, str(number)),
            run_us=10_000_000 if number % 50 == 0 else 900 * number,
            rss_kib=10_000_000,
        )
        for number in range(2000)
    )
    nasty = dataclasses.replace(trace, tasks=tasks, dropped=123456)
    text = summary.write(trial("longtail", title=long * 20), run_of("longtail", nasty))
    assert tokens.count(text) < 400
    assert "no room for 123456" in text


def test_the_data_holds_what_the_text_was_made_of(run_of):
    run = run_of("longtail")
    data = summary.data(run)
    assert data["metrics"] == run.measurement.metrics
    assert len(data["trace"]["tasks"]) == 41
    assert data["tail"]["tasks"] == data["groups"][0]["outliers"] == [4]
    assert data["start"] is None
