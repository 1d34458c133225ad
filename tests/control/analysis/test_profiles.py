import dataclasses

import pytest

from schedcp_gym.control.analysis import histogram, profiles, program
from schedcp_gym.lab import Lab, catalogue
from schedcp_gym.spec import BadInput, Trial

DEFAULT = {"runq_latency", "on_cpu_time", "off_cpu_time"}


def slots(**counts):
    values = [0] * 32
    for bits, count in counts.items():
        values[int(bits[1:])] = count
    return values


def test_a_histogram_of_powers_of_two():
    found = histogram.from_slots(slots(b0=1, b1=2, b4=97), total=1000, largest=15)
    assert found["buckets"] == [[0, 1, 1], [1, 2, 2], [2, 4, 0], [4, 8, 0], [8, 16, 97]]
    assert found["count"] == 100
    assert 8 < found["p50"] < 16
    assert found["p50"] < found["p99"] <= 15


def test_percentiles_do_not_pass_the_largest_value():
    found = histogram.from_slots(slots(b10=1000), total=600_000, largest=600)
    assert 512 <= found["p50"] <= found["p99"] <= 600


def test_an_empty_histogram_has_no_buckets():
    found = histogram.from_slots([0] * 32, 0, 0)
    assert found["buckets"] == []
    assert found["p99"] == 0


def test_histograms_are_merged_bucket_by_bucket():
    one, two = histogram.from_slots(slots(b0=1, b3=2), 9, 5), histogram.from_slots(slots(b3=1, b6=1), 44, 40)
    merged = histogram.merge([one, two])
    assert [count for _, _, count in merged["buckets"] if count] == [1, 3, 1]
    assert (merged["total"], merged["max"], merged["count"]) == (53, 40, 5)


def test_only_the_weightiest_names_are_told_one_by_one():
    by = {f"job-{number}": histogram.from_slots(slots(b5=2), 50 + number, 30) for number in range(40)}
    told = histogram.lines(by, rows=3)
    assert [line.split(":")[0] for line in told] == ["job-39", "job-38", "job-37", "(37 others)"]
    assert "n 74" in told[3]


@pytest.mark.parametrize(("value", "told"), [(0.0, "0"), (1.25, "1.25"), (999.6, "1000"), (12375.0, "12.4k")])
def test_figures_are_short(value, told):
    assert histogram.short(value) == told


def test_profiles_are_found_with_what_they_say():
    known = program.all_probes()
    assert known.keys() >= DEFAULT | {
        "wakeup_latency",
        "migrations",
        "futex_wait",
        "pipe_wait",
        "perf_stat",
        "perf_sched",
    }
    assert {name for name, probe in known.items() if probe.default} == DEFAULT
    for name, probe in known.items():
        assert probe.says
        assert probe.reading
        assert probe.is_bcc == bool(probe.hooks)
        for hook in probe.hooks:
            assert f"{name}_{hook}(struct task *task, u64 now)" in probe.source


def test_a_profile_that_does_not_exist_is_refused():
    with pytest.raises(BadInput, match=r"unknown profile 'runq_latencies'; did you mean runq_latency\?"):
        program.choose(("runq_latencies",))


def test_a_program_listens_to_what_its_probes_need_and_no_more():
    known = program.all_probes()
    assert program.tracepoints([known["runq_latency"]]) == list(program.ALWAYS)
    assert "sched_waking" in program.tracepoints([known["wakeup_latency"]])
    source = program.assemble([known["runq_latency"], known["off_cpu_time"]], {"TASK_PID": 7})
    assert "#define TASK_PID 7" in source
    assert "#define ON_RUNS(task, now) do { runq_latency_runs(task, now); off_cpu_time_runs(task, now); }" in source
    assert "#define ON_MOVES(task, now) do" not in source


def test_the_digest_follows_the_probes():
    assert program.probe_digest(()) == program.probe_digest(tuple(sorted(DEFAULT, reverse=True)))
    assert program.probe_digest(()) != program.probe_digest(("runq_latency",))


@pytest.mark.guest
def test_the_default_profiles_of_schbench(image):
    trial = Trial(catalogue.load_policy("fifo"), catalogue.load_workload("schbench"))
    found = profiles.profile(Lab(workers=1), trial)
    assert found.data["profiles"].keys() == DEFAULT
    assert found.data["runs"]["bcc"]["outcome"] == "ok"
    assert found.tokens < 800
    assert "schbench-worker" in found.text
    by = found.data["profiles"]["runq_latency"]["by"]
    # Only the workload's own: neither the loader nor the kernel's threads nor the profiler.
    assert by.keys() <= {"schbench", "schbench-msg", "schbench-worker", "sh"}
    # 1600 requests, each with at least one wait for a CPU, and a first in, first out queue lets a worker wait long.
    assert by["schbench-worker"]["count"] > 1600
    assert 500 < by["schbench-worker"]["p50"] < by["schbench-worker"]["max"] < 1e6
    on_cpu = found.data["profiles"]["on_cpu_time"]["by"]
    cpu_s = sum(histogram["total"] for histogram in on_cpu.values()) / 1e6
    # Eight workers keep two CPUs busy: what they ran is what the run lasted, twice.
    run_s = 1600 / found.data["runs"]["bcc"]["metrics"]["requests_per_s"]
    assert 0.8 * 2 * run_s < cpu_s < 1.25 * 2 * run_s


@pytest.mark.guest
def test_all_other_profiles_of_schbench_in_one_run_each_exact(image):
    trial = Trial(catalogue.load_policy("eevdf"), catalogue.load_workload("schbench"))
    names = ("burst_length", "wakeup_latency", "migrations", "futex_wait", "pipe_wait", "perf_stat", "perf_sched")
    found = profiles.profile(Lab(workers=2), trial, names)
    told = found.data["profiles"]
    assert told["wakeup_latency"]["by"].keys() >= {"(timer)", "schbench-msg", "schbench-worker"}
    assert told["futex_wait"]["by"]["schbench-worker"]["count"] > 500
    assert told["pipe_wait"]["by"] == {}
    # A request is 72 operations of 17 us: a worker's burst is about as long.
    assert 1024 < told["burst_length"]["by"]["schbench-worker"]["p99"] < 4096
    assert told["perf_stat"]["rows"][0][0] == "cpu-time-s"
    assert {row[0].split(":")[0] for row in told["perf_sched"]["rows"]} >= {"schbench-worker", "schbench-msg"}
    again = profiles.profile(Lab(workers=1), dataclasses.replace(trial), ("burst_length", *names[1:5]))
    assert again.data["profiles"] == {name: told[name] for name in again.data["profiles"]}
