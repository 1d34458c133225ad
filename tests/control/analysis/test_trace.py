import pytest

from schedcp_gym.control.analysis import trace as traces
from schedcp_gym.spec import SchedcpError


def test_a_recorded_trace_accounts_for_every_microsecond(trace_of):
    trace = trace_of("longtail")
    assert len(trace.tasks) == 41
    assert sum(trace.running_us) == pytest.approx(trace.lasted_us, rel=0.001)
    assert sum(trace.waiting_us) == pytest.approx(trace.lasted_us, rel=0.001)
    assert sum(cpu.traced_us for cpu in trace.cpus) == pytest.approx(trace.run_us, rel=0.001)
    assert sum(window.running_us for window in trace.windows) == pytest.approx(trace.run_us, rel=0.001)
    for task in trace.tasks:
        life = task.ended_us - task.began_us
        assert task.run_us + task.wait_us + task.sleep_us == pytest.approx(life, rel=0.01, abs=2000)


def test_threads_and_forks_run_their_parents_program(trace_of):
    trace = trace_of("schbench")
    assert {trace.program(task) for task in trace.tasks} == {"schbench"}
    assert sum(task.is_thread for task in trace.tasks) == 10


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"windows": []}', '{"windows": [[1, 2]]}', "[" * 100_000])
def test_what_is_no_trace_is_refused_in_a_line(text):
    with pytest.raises(SchedcpError, match=r"^the trace can't be read: [^\n]*$"):
        traces.read(text)


def test_percentiles_lie_in_their_bucket():
    assert traces.percentile([], 0.5) == 0
    assert traces.percentile([0, 0, 0], 0.5) == 0
    assert traces.percentile([0, 0, 4], 0.5) == 3  # between 2 and 4 us
    assert traces.percentile([10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 0.99) > 512


def test_histograms_of_several_lengths_add_up():
    assert traces.add_up([[1, 2], [1], []]) == [2, 2]
