"""The workloads that run known tools: what is read from a tool's real output; nothing else is taken for figures.

What lies in ``data/`` was printed by the tools in the guest, as recorded.
"""

import importlib.util
import json
import math
import sys
from pathlib import Path

import pytest

from schedcp_gym.lab import catalogue
from schedcp_gym.lab.trial_job import build_job, read_metrics
from schedcp_gym.paths import SHARED, WORKLOADS
from schedcp_gym.spec import EEVDF, Policy, Scale, Trial

DATA = Path(__file__).with_name("data")


@pytest.fixture(scope="module")
def load():
    """Loads a workload's program as the guest does: what it shares can be imported."""

    def module(path):
        name = f"workload_{path.parent.name}_{path.stem}".replace("-", "_")
        spec = importlib.util.spec_from_file_location(name, path)
        loaded = importlib.util.module_from_spec(spec)
        sys.modules[name] = loaded
        loaded_names.append(name)
        spec.loader.exec_module(loaded)
        return loaded

    loaded_names = ["bench_tool", "stressor", "hackbench"]
    sys.path.insert(0, str(SHARED))
    yield lambda name: module(WORKLOADS / name / "run.py")
    sys.path.remove(str(SHARED))
    for name in loaded_names:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def tool(load):
    load("hackbench")
    return sys.modules["bench_tool"]


def text(name):
    return (DATA / name).read_text()


def read_hackbench(load, output):
    load("hackbench")
    shape = sys.modules["hackbench"].Shape(groups=2, fds=10, loops=50, size=120)
    return load("hackbench").figures([shape.time_s(output)], shape.messages)


def read_messaging(load, output):
    return load("perf-bench").messaging_figures(output, groups=2, loops=20)


def read_pipe(load, output):
    return load("perf-bench").pipe_figures(output, loops=2000)


def read_sysbench(load, output):
    return load("sysbench").figures(output, events=300)


def read_stressor(load, output):
    result = load("stress-ng").stressor.read_result(output, "futex", 300)
    return load("stress-ng").figures([result], makespan_s=1.0)


def read_cyclictest(load, output):
    run = load("cyclictest")
    return run.figures([run.latencies_us(output, interval_us=1000)], load_ops_per_s=1.0)


#: Workload → its recorded output, and how it is read.
READERS = {
    "hackbench": ("hackbench.txt", read_hackbench),
    "perf-bench": ("perf-messaging.txt", read_messaging),
    "perf-bench-pipe": ("perf-pipe.txt", read_pipe),
    "sysbench": ("sysbench.txt", read_sysbench),
    "stress-ng": ("stress-ng.yaml", read_stressor),
    "cyclictest": ("cyclictest.json", read_cyclictest),
}


@pytest.mark.parametrize("workload", READERS)
def test_a_real_output_gives_every_metric_that_the_workload_declares(workload, load):
    name, read = READERS[workload]
    figures = read(load, text(name))
    declared = catalogue.load_workload(workload)
    assert set(figures) == set(declared.metrics)
    metrics, fault = read_metrics(declared, json.dumps(figures))
    assert not fault
    assert all(value > 0 and math.isfinite(value) for value in metrics.values())


@pytest.mark.parametrize("workload", READERS)
def test_an_empty_output_is_an_error(workload, load, tool):
    with pytest.raises(tool.ToolError):
        READERS[workload][1](load, "")


@pytest.mark.parametrize("workload", READERS)
def test_an_output_cut_anywhere_gives_the_whole_figures_or_an_error(workload, load, tool):
    name, read = READERS[workload]
    whole = text(name)
    expected = read(load, whole)
    errors, step = 0, 1 + len(whole) // 200
    for end in range(0, len(whole), step):
        try:
            figures = read(load, whole[:end])
        except tool.ToolError:
            errors += 1
        else:
            assert figures == expected
    assert errors > 0.5 * len(whole) / step


@pytest.mark.parametrize("workload", READERS)
def test_an_output_printed_twice_is_an_error(workload, load, tool):
    name, read = READERS[workload]
    with pytest.raises(tool.ToolError):
        read(load, text(name) * 2)


@pytest.mark.parametrize(
    ("workload", "old", "new"),
    [
        ("hackbench", "Time: ", "Time: nan"),
        ("hackbench", "pass 50 messages", "pass 100 messages"),
        ("hackbench", "with 2 groups", "with 4 groups"),
        ("perf-bench", "== 80 processes", "== 40 processes"),
        ("perf-bench", "Total time: ", "Total time: -"),
        ("perf-bench-pipe", "Executed 2000", "Executed 1000"),
        ("perf-bench-pipe", "usecs/op", "msecs/op"),
        ("sysbench", "total number of events:              300", "total number of events:              299"),
        ("sysbench", "total time:", "time:"),
        ("sysbench", "events (avg/stddev)", "events"),
        ("stress-ng", "bogo-ops: 300", "bogo-ops: 299"),
        ("stress-ng", "stressor: futex", "stressor: cpu"),
        ("stress-ng", "wall-clock-time", "user-time"),
        ("cyclictest", '"cycles": 200', '"cycles": 199'),
        ("cyclictest", '"max": ', '"max": -'),
        ("cyclictest", '"histogram"', '"histogramme"'),
        ("cyclictest", '"thread": {', '"thread": {"1": {}, '),
    ],
)
def test_a_damaged_output_is_an_error(workload, old, new, load, tool):
    name, read = READERS[workload]
    assert old in text(name)
    with pytest.raises(tool.ToolError):
        read(load, text(name).replace(old, new))


def test_a_time_of_zero_is_an_error_not_an_infinite_rate(load, tool):
    with pytest.raises(tool.ToolError, match="must be above 0"):
        tool.positive(0.0, "a time")


def test_percentiles_are_of_entries_not_of_buckets(tool):
    counts = {10.0: 98, 50.0: 1, 400.0: 1}
    assert tool.percentile(counts, 0.5) == 10
    assert tool.percentile(counts, 0.99) == 50
    assert tool.percentile(counts, 1) == 400


def report_of(histogram, cycles, latest):
    return json.dumps({"thread": {"0": {"histogram": histogram, "cycles": cycles, "max": latest}}})


def test_expiries_that_a_late_thread_missed_count_from_their_own_times(load):
    report = report_of({"11": 7, "2300": 2}, 9, 2300)
    assert load("cyclictest").latencies_us(report, 1000) == {11: 7, 2300: 2, 1300: 2, 300: 2}


def test_wake_ups_beyond_cyclictests_histogram_count_as_the_latest(load):
    report = report_of({"11": 7}, 10, 90000)
    assert load("cyclictest").latencies_us(report, 80000) == {11: 7, 90000: 3, 10000: 3}


def test_a_cyclictest_that_never_woke_is_an_error(load, tool):
    with pytest.raises(tool.ToolError, match="0 wake-ups"):
        load("cyclictest").latencies_us(report_of({}, 0, 0), 1000)


def test_the_fairness_of_sysbench_is_jains_index(load):
    equal = load("sysbench").fairness_index("    events (avg/stddev):           75.0000/0.00\n")
    one_of_four_did_all = load("sysbench").fairness_index("    events (avg/stddev):           75.0000/129.9038\n")
    assert equal == 1
    assert one_of_four_did_all == pytest.approx(0.25, rel=1e-3)


@pytest.mark.parametrize("n", [1, 2, 4, 7])
def test_sizes_vary_with_the_seed_and_their_sum_does_not(n, tool):
    drawn = [tool.spread(seed, 100, 50, n) for seed in range(20)]
    assert {sum(sizes) for sizes in drawn} == {100 * n}
    assert all(50 <= size <= 150 for sizes in drawn for size in sizes)
    assert n == 1 or len({tuple(sizes) for sizes in drawn}) > 10


def test_a_tool_that_fails_says_how(tool):
    with pytest.raises(tool.ToolError, match=r"sh: exit status 3: no such thing"):
        tool.run(["sh", "-c", "echo no such thing >&2; exit 3"])
    with pytest.raises(tool.ToolError, match="killed by signal 9: it said nothing"):
        tool.run(["sh", "-c", "kill -9 $$"])


def test_a_program_that_fails_prints_one_line_and_no_metrics(tool, capsys):
    def measure():
        raise tool.ToolError("the histogram is empty")

    with pytest.raises(SystemExit, match="the histogram is empty") as failed:
        tool.main(measure)
    assert isinstance(failed.value.code, str)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("scale", Scale)
def test_the_mix_of_stress_ng_divides_among_its_instances(scale, load):
    mix = catalogue.load_workload("stress-ng").scales[scale]["mix"]
    parts = [load("stress-ng").Part.of(part) for part in mix.split(",")]
    assert len(parts) == 8
    assert all(part.operations % part.instances == 0 for part in parts)


@pytest.mark.parametrize("name", ["hackbench-pipe", "perf-bench-pipe", "cyclictest-messages", "schbench-open"])
@pytest.mark.parametrize("scale", Scale)
def test_the_commands_of_variants_have_all_their_values(name, scale):
    workload = catalogue.load_workload(name)
    job = build_job(Trial(Policy(EEVDF), workload, scale=scale), None)
    assert b"{" not in job.files["command"]
    assert all(f"shared/{file}" in job.files for file in workload.shared if file.endswith(".py"))
