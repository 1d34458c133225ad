import dataclasses

import pytest

from schedcp_gym.control.analysis.ends import find_start, find_tail, memory_peak_kib, most_at_once


def test_the_tail_of_a_batch_names_the_job_that_runs_alone(trace_of):
    trace = trace_of("longtail")
    tail = find_tail(trace)
    assert [trace.by_slot[slot].name for slot in tail.tasks] == ["lichen-8176"]
    assert tail.busy_cpus == pytest.approx(1, abs=0.02)
    assert tail.began_us + tail.lasted_us == trace.lasted_us
    others = max(task.ended_us for task in trace.tasks if task.slot not in (1, *tail.tasks))
    assert tail.began_us == pytest.approx(others, abs=3 * trace.window_us)
    assert find_start(trace) is None


def test_the_start_of_a_batch_names_who_prepares_it(trace_of):
    trace = trace_of("batch")
    start = find_start(trace)
    assert [trace.by_slot[slot].name for slot in start.tasks] == ["python3"]
    assert 0.1 < start.lasted_us / trace.lasted_us < 0.3


def test_a_server_has_neither_start_nor_tail(trace_of):
    assert find_tail(trace_of("schbench")) is None
    assert find_start(trace_of("schbench")) is None


def test_one_cpu_has_no_tail(trace_of):
    trace = trace_of("longtail")
    assert find_tail(dataclasses.replace(trace, cpus=trace.cpus[:1])) is None


def test_how_much_was_there_at_once(trace_of):
    trace = trace_of("longtail")
    assert most_at_once(trace) == 41
    assert memory_peak_kib(trace) == sum(task.rss_kib for task in trace.tasks)
