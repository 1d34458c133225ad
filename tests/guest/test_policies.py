"""Policies on the real kernel: in charge while they should be, and what they are good for."""

import json
from pathlib import Path

import pytest
from conftest import make_trial

from schedcp_gym.lab import catalogue
from schedcp_gym.lab.compiler import compile_policy
from schedcp_gym.spec import EEVDF, Outcome

pytestmark = pytest.mark.guest

NAMES = [name for name in catalogue.policy_names() if name != EEVDF]
STATE = "/sys/kernel/sched_ext/state"
#: What runs under a policy: a look at who schedules, and processes that fork, sleep and compute.
LOAD = f"""cat {STATE} /sys/kernel/sched_ext/root/ops
i=0; while [ $i -lt 20 ]; do (sleep 0.001; true) & i=$((i+1)); done; wait
i=0; while [ $i -lt 500 ]; do i=$((i+1)); done; echo done"""
RUN = f"""
run() {{ scx_run --report /result/$1.json --object p.o --tunables $1 -- sh load; cat {STATE}; }}
cat {STATE}; run good; run unknown; run word
"""
#: A policy comes and goes three times beside tasks that never sleep.
BUSY = """
for i in 1 2 3 4 5; do (while :; do :; done) & pids="$pids $!"; done
for i in 1 2 3; do
    scx_run --report /result/$i.json --object p.o -- sh -c 'sleep 0.05; cat /sys/kernel/sched_ext/root/ops'
done
cat /sys/kernel/sched_ext/state; kill $pids
"""


@pytest.mark.parametrize("name", NAMES)
def test_a_policy_is_in_charge_with_its_tunables_set_and_gone_afterwards(run_job, image, name):
    declared = catalogue.tunables_of(catalogue.load_policy(name).source)
    lowest = [f"{tunable.name}={'sh' if tunable.is_name else tunable.low}\n" for tunable in declared]
    number = next(tunable.name for tunable in declared if not tunable.is_name)
    files = {
        "p.o": compile_policy(catalogue.load_policy(name).source, image),
        "load": LOAD.encode(),
        "good": "".join(lowest).encode(),
        "unknown": b"nosuch=1\n",
        "word": f"{number}=fast\n".encode(),
    }
    result = run_job(RUN, files)
    reports = {name: json.loads(result.text(f"{name}.json")) for name in ("good", "unknown", "word")}
    assert reports["good"]["outcome"] == "ok", reports["good"]
    assert reports["good"]["ops"] == name
    assert result.text("stdout").split() == ["disabled", "enabled", name, "done", "disabled", "disabled", "disabled"]
    for tried, complaint in (("unknown", "the policy has no tunable nosuch"), ("word", f"tunable {number} does not")):
        assert (reports[tried]["outcome"], reports[tried]["stage"]) == ("rejected", "tunables")
        assert complaint in reports[tried]["message"]


def loaded(name, image, files):
    """Files of a job with a policy's object."""
    return {"p.o": compile_policy(catalogue.load_policy(name).source, image), **files}


@pytest.mark.parametrize("name", NAMES)
def test_a_policy_serves_all_kinds_of_tasks_and_stays_while_a_cpu_goes_and_comes(run_job, image, name):
    result = run_job(
        "scx_run --report /result/report.json --object p.o -- python3 crowd.py",
        loaded(name, image, {"crowd.py": (Path(__file__).parent / "crowd.py").read_bytes()}),
        max_job_s=40.0,
    )
    report = json.loads(result.text("report.json"))
    assert report["outcome"] == "ok", report
    figures = json.loads(result.text("stdout"))
    crowd, pair = figures["crowd"], figures["pair"]
    for task, got in {**crowd, **pair}.items():
        assert got["cpu_ms"] > 0, task
        assert got["wait_ms"] < 1000, task
        assert got["strayed"] == 0, task
    assert sum(got["cpu_ms"] for got in crowd.values()) > 1600  # of 2000: no CPU is idle beside queued work
    card = " ".join(catalogue.card_of(catalogue.load_policy(name).source).split())
    if "Nice values and weights are ignored" not in card:
        assert pair["nice 0"]["cpu_ms"] > 1.5 * pair["nice 5"]["cpu_ms"]
    assert figures["hotplug"] == {"states": ["0", "enabled", "1", "enabled"], "stuck": 0}


@pytest.mark.parametrize("name", NAMES)
def test_a_policy_takes_over_and_leaves_a_busy_machine_again_and_again(run_job, image, name):
    result = run_job(BUSY, loaded(name, image, {}), max_job_s=40.0)
    reports = [json.loads(result.text(f"{number}.json")) for number in (1, 2, 3)]
    assert [report["outcome"] for report in reports] == ["ok"] * 3, reports
    assert result.text("stdout").split() == [name] * 3 + ["disabled"]


def test_longest_job_first_beats_eevdf_by_18_percent_and_comes_within_6_of_the_bound(lab):
    (eevdf,) = lab.measure([make_trial(EEVDF, "longtail", seed=1)])
    assert eevdf.ok, eevdf.message
    longest = max(eevdf.cpu_s_by_name, key=eevdf.cpu_s_by_name.get)
    ljf, blind = lab.measure(
        [make_trial("ljf", "longtail", {"favour": longest}, seed=1), make_trial("ljf", "longtail", seed=1)]
    )
    assert ljf.ok, ljf.message
    assert ljf.metrics["makespan_s"] <= 0.82 * eevdf.metrics["makespan_s"]
    assert ljf.metrics["makespan_s"] <= 1.06 * ljf.metrics["bound_s"]
    assert blind.metrics["makespan_s"] > 1.1 * ljf.metrics["makespan_s"]


def test_one_queue_answers_requests_1_4_times_sooner_than_eevdf_and_a_short_slice_spoils_it(lab):
    eevdf, fifo, sliced = lab.measure(
        [make_trial(EEVDF, seed=1), make_trial(seed=1), make_trial(tunables={"slice_us": 300}, seed=1)]
    )
    for measured in (eevdf, fifo, sliced):
        assert measured.outcome is Outcome.OK, measured.message
        assert 0.5 < measured.utilisation <= 1
        assert {"schbench"} <= {name.split("-")[0] for name in measured.cpu_s_by_name}
    assert eevdf.metrics["p99_request_us"] >= 1.4 * fifo.metrics["p99_request_us"]
    assert sliced.metrics["p99_request_us"] > 1.1 * fifo.metrics["p99_request_us"]
