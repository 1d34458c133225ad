"""Where a recorded run changes, and what is said of it."""

import dataclasses

import pytest

from schedcp_gym.control.analysis import Analysis, Tier, parts, summary
from schedcp_gym.llm import tokens


@pytest.fixture
def summary_of(run_of, trace_of):
    """A recorded run's summary, as the engine would have it."""

    def make(name):
        run = run_of(name if name in ("longtail", "schbench") else "longtail", trace_of(name))
        return Analysis(Tier.SUMMARY, "summary", name, "text", summary.data(run), 9, 2.0, 3.0, True, {"trial": "t"})

    return make


def test_a_change_of_behaviour_calls_for_a_new_analysis_and_each_part_is_told(summary_of):
    found = parts.divide(summary_of("phases"))
    assert found.data["analyse_anew"]
    assert found.text.startswith("phases: the behaviour changes, so analyse it again after that: ")
    assert "at 2.87 s burst_us from 8000 to" in found.text
    assert [part["behaviour"] for part in found.data["parts"]] == [False, False, True]
    ends = [(part["from_s"], part["to_s"]) for part in found.data["parts"]]
    assert [first for first, _ in ends[1:]] == [last for _, last in ends[:-1]]
    assert (ends[0][0], ends[-1][1]) == (0.0, 4.079098)
    # It had one CPU, then both, then it slept most of the time.
    assert [round(part["medians"]["running_cpus"], 1) for part in found.data["parts"]] == [1.0, 2.0, 0.1]
    assert found.tokens == tokens.count(found.text) < 400
    assert len(found.text.splitlines()) == 5


def test_a_batchs_tail_is_a_change_of_load_and_calls_for_nothing(summary_of):
    found = parts.divide(summary_of("longtail"))
    assert not found.data["analyse_anew"]
    assert len(found.data["parts"]) == 2
    assert "only the load changes" in found.text


def test_a_steady_run_is_one_part(summary_of):
    found = parts.divide(summary_of("schbench"))
    assert found.data["changes"] == []
    assert len(found.data["parts"]) == 1
    assert found.text == "schbench: no lasting change: one analysis is valid for the whole run."


def test_it_costs_what_the_summary_did(summary_of):
    seen = summary_of("phases")
    found = parts.divide(seen)
    same = ("tier", "workload", "host_s", "guest_s", "cached", "digests")
    assert [getattr(found, name) for name in same] == [getattr(seen, name) for name in same]
    assert parts.divide(dataclasses.replace(seen, cached=False)).data == found.data
