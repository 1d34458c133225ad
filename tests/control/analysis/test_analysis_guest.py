"""The tracer and the first tier, on the real kernel."""

import json
from pathlib import Path

import pytest

from schedcp_gym.control.analysis import cache
from schedcp_gym.control.analysis import trace as traces
from schedcp_gym.control.analysis.changes import Aspect, detect, load_thresholds, series_of
from schedcp_gym.control.analysis.engine import Analyzer
from schedcp_gym.control.analysis.traced_run import tracer_source
from schedcp_gym.lab import Lab, catalogue
from schedcp_gym.lab.compiler import compile_policy
from schedcp_gym.llm import tokens
from schedcp_gym.spec import BadInput, reward

pytestmark = pytest.mark.guest
LOAD = Path(__file__).parent / "load" / "phases.py"
TRACED = """
export PYTHONHASHSEED=0
scx_trace --object /job/trace.bpf.o --output /result/trace.json -- \
    scx_run --report /result/report.json -- python3 -S -E /job/phases.py
"""


@pytest.fixture
def empty_store(tmp_path, monkeypatch):
    monkeypatch.setattr(cache.ANALYSES, "folder", lambda: tmp_path)


def test_a_change_of_phase_is_seen_when_the_load_says_it_came(run_job, image):
    tracer = compile_policy(tracer_source(), image)
    result = run_job(TRACED, {"trace.bpf.o": tracer, "phases.py": LOAD.read_bytes()}, 60.0)
    assert result.text("stderr") == ""
    turn_s = json.loads(result.text("stdout"))["turn_s"]
    trace = traces.read(result.text("trace.json"))
    first = trace.by_slot[1]
    assert first.file.startswith("python3")
    assert first.args == ("python3", "-S", "-E", "/job/phases.py")
    assert [task.parent for task in trace.tasks] == [0, 1, 1, 1, 1]
    # The loader and what it starts besides are not traced; what is traced accounts for all of its time.
    for task in trace.tasks:
        assert task.run_us + task.wait_us + task.sleep_us == pytest.approx(task.ended_us - task.began_us, abs=1000)
    # The two wake each other for each byte.
    assert min(dict(trace.by_slot[5].wakers)[1], dict(first.wakers)[5]) > 2500
    changes = [change for change in detect(series_of(trace), load_thresholds()) if change.of is Aspect.BEHAVIOUR]
    assert {change.metric for change in changes} == {"wakes_per_s", "burst_us"}
    for change in changes:
        # The load counts from the start of its own code: Python needs a while to get there.
        assert turn_s < change.at_s < turn_s + 0.5


def test_a_summary_is_short_exact_and_made_once(lab, empty_store):
    analyzer = Analyzer(Lab(workers=1))
    first = analyzer.summary("schbench")
    assert first.tokens == tokens.count(first.text) < 400
    assert "8 schbench-worker threads" in first.text
    assert first.data["metrics"]["p99_request_us"] > 0
    again = analyzer.summary("schbench")
    assert again.cached
    assert (again.text, again.data) == (first.text, first.data)
    anew = Analyzer(lab).summary("schbench")  # a lab that measures all anew
    assert not anew.cached
    assert (anew.text, anew.data) == (first.text, first.data)
    assert anew.guest_s == first.guest_s


def test_a_policy_can_be_summarised_too(lab, empty_store):
    summary = Analyzer(lab).summary("schbench", "fifo")
    assert "under fifo" in summary.text
    tasks = summary.data["trace"]["tasks"]
    # Nothing of the policy's loading is in it, and slices of 20 ms preempt no request of 1.25 ms.
    assert len(tasks) == 11
    assert sum(task["preemptions"] for task in tasks) < 100 < sum(task["sleeps"] for task in tasks)


def test_what_does_not_exist_is_refused_before_anything_boots(lab):
    with pytest.raises(BadInput, match="unknown workload 'nonesuch'"):
        Analyzer(lab).summary("nonesuch")
    with pytest.raises(BadInput, match="unknown policy 'nonesuch'"):
        Analyzer(lab).summary("schbench", "nonesuch")


def test_feedback_on_a_policy_says_what_changed_and_who_waits_and_costs_nothing_again(image, empty_store):
    analyzer = Analyzer(Lab(workers=1))
    found = analyzer.feedback("schbench", "fifo")
    measured, eevdf = analyzer.lab.measure([analyzer.trial("schbench", name) for name in ("fifo", "eevdf")])
    assert found.data["reward"] == reward(catalogue.load_workload("schbench"), measured, eevdf)
    assert found.text.startswith("fifo on schbench: ")
    workers = next(one for one in found.data["classes"] if one["label"] == "schbench-worker")
    assert workers["tasks"] == 8
    assert min(workers["wait_ms"]) > 0
    assert found.tokens == tokens.count(found.text) < 400
    again = analyzer.feedback("schbench", "fifo")
    assert again.cached
    assert (again.text, again.data) == (found.text, found.data)
    # The same traced runs say where it changes: a steady load nowhere.
    changes = analyzer.changes("schbench", "fifo")
    assert changes.cached
    assert not changes.data["analyse_anew"]
