"""From a job's result to a measurement: whatever a guest leaves behind is an outcome, never an exception."""

import dataclasses
import json

import pytest

from schedcp_gym.lab import catalogue
from schedcp_gym.lab.trial_job import LOG_LIMIT, read_metrics, to_measurement
from schedcp_gym.machine import Ending, JobResult
from schedcp_gym.spec import EEVDF, Clock, MachineSpec, Outcome, Policy, Trial

WORKLOAD = catalogue.load_workload("longtail")
TRIAL = Trial(Policy(EEVDF), WORKLOAD)
METRICS = dict.fromkeys(WORKLOAD.metrics, 1.5)
REPORT = {
    "outcome": "ok",
    "stage": "done",
    "message": "",
    "ops": "fifo",
    "exit": {"kind": 0, "code": 0, "reason": "", "msg": ""},
    "cpu_s": 1.5,
    "wall_s": 1.0,
    "cpus": 2,
    "events": {"SCX_EV_A": 3, "SCX_EV_B": 0},
    "cpu_s_by_name": {"a": 1.0},
    "kernel_log": "",
}


def left(report=REPORT, output=None, **files):
    """A result as a trial's script leaves it."""
    output = json.dumps(METRICS) if output is None else output
    content = {"report.json": json.dumps(report), "workload.out": output, **files}
    return JobResult(
        Ending.EXITED, files={name: text.encode() for name, text in content.items()}, job_s=2.5, timings_s={"total": 1}
    )


def test_a_trial_that_went_well_is_ok():
    measurement = to_measurement(TRIAL, left(), {"image": "i"})
    assert measurement.outcome is Outcome.OK
    assert measurement.metrics == METRICS
    assert measurement.events == {"SCX_EV_A": 3}
    assert measurement.utilisation == 0.75
    assert measurement.cpu_s_by_name == {"a": 1.0}
    assert measurement.job_s == 2.5
    assert measurement.digests == {"image": "i"}
    assert measurement.trial == TRIAL.digest


def test_memory_that_ran_short_is_noted_and_warned_of_where_results_should_be_exact(caplog):
    short = dataclasses.replace(left(), pages_scanned=12)
    measurement = to_measurement(TRIAL, short, {})
    assert (measurement.outcome, measurement.pages_scanned) == (Outcome.OK, 12)
    assert "12 pages scanned" in caplog.text
    assert "pages_scanned" not in measurement.exact()
    caplog.clear()
    real = Trial(Policy(EEVDF), WORKLOAD, MachineSpec(clock=Clock.REAL))
    assert to_measurement(real, short, {}).pages_scanned == 12
    assert to_measurement(TRIAL, left(), {}).pages_scanned == 0
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("result", "outcome", "text"),
    [
        (JobResult(Ending.DEADLINE, job_s=120.0), Outcome.TIMEOUT, "not over after 120.0 s of guest time"),
        (JobResult(Ending.HOST_DEADLINE, message="not over after 5 s"), Outcome.TIMEOUT, "not over after 5 s"),
        (JobResult(Ending.KILLED, message="QEMU was killed by signal 9"), Outcome.INFRA_FAULT, "signal 9"),
        (JobResult(Ending.KILLED), Outcome.INFRA_FAULT, "QEMU was killed"),
        (JobResult(Ending.CRASHED, message="panicked or reset"), Outcome.GUEST_CRASH, "panicked"),
        (JobResult(Ending.GUEST_FAILED, message="tar failed"), Outcome.GUEST_CRASH, "tar failed"),
        (JobResult(Ending.SIGNALLED, code=9), Outcome.GUEST_CRASH, "signal 9"),
        (JobResult(Ending.EXITED, oom_kills=2), Outcome.GUEST_CRASH, "out of memory"),
        (JobResult(Ending.EXITED), Outcome.WORKLOAD_ERROR, "no report"),
        (JobResult(Ending.EXITED, code=3, files={"stderr": b"the set-up failed"}), Outcome.WORKLOAD_ERROR, "set-up"),
        (JobResult(Ending.EXITED, files={"report.json": b"{"}), Outcome.WORKLOAD_ERROR, "no report"),
        (JobResult(Ending.EXITED, files={"report.json": b"[1]"}), Outcome.WORKLOAD_ERROR, "no report"),
        (JobResult(Ending.EXITED, files={"report.json": b"\xff\0"}), Outcome.WORKLOAD_ERROR, "no report"),
    ],
)
def test_every_ending_has_its_outcome_and_its_reason(result, outcome, text):
    measurement = to_measurement(TRIAL, result, {})
    assert measurement.outcome is outcome
    assert text in measurement.message
    assert measurement.metrics == {}


def test_every_ending_is_mapped():
    for ending in Ending:
        assert to_measurement(TRIAL, JobResult(ending, job_s=1.0), {}).outcome is not Outcome.OK


def test_memory_running_out_is_said_even_if_the_trial_went_on():
    result = left()
    killed = JobResult(Ending.EXITED, files=result.files, job_s=1.0, oom_kills=1)
    measurement = to_measurement(TRIAL, killed, {})
    assert measurement.outcome is Outcome.GUEST_CRASH
    assert "memory" in measurement.message


@pytest.mark.parametrize("outcome", ["rejected", "ejected", "workload_error"])
def test_the_loaders_verdict_counts_whatever_the_workload_printed(outcome):
    report = {**REPORT, "outcome": outcome, "stage": "run", "message": "it failed", "kernel_log": "from the kernel"}
    report["exit"] = {"kind": 1024, "code": 0, "reason": "stalled", "msg": "for 5 s"}
    measurement = to_measurement(TRIAL, left(report, **{"verifier.log": "from the verifier"}), {})
    assert measurement.outcome == outcome
    assert measurement.metrics == {}
    assert all(part in measurement.message for part in ("run: it failed", "stalled", "for 5 s"))
    assert "from the kernel" in measurement.log
    assert "from the verifier" in measurement.log


def test_of_a_long_log_the_end_is_kept():
    report = {**REPORT, "outcome": "rejected"}
    measurement = to_measurement(TRIAL, left(report, **{"verifier.log": "x" * (2 * LOG_LIMIT) + "THE END"}), {})
    assert measurement.log.endswith("THE END")
    assert len(measurement.log) <= LOG_LIMIT


@pytest.mark.parametrize(
    "report", [{}, {"outcome": "ok"}, {**REPORT, "outcome": "splendid"}, {**REPORT, "events": None}]
)
def test_a_report_that_is_not_whole_is_an_outcome_not_an_exception(report):
    assert not to_measurement(TRIAL, left(report), {}).ok


def test_a_workload_without_its_metrics_is_an_error_with_its_words_kept():
    measurement = to_measurement(TRIAL, left(output="no numbers today", **{"workload.err": "sorry"}), {})
    assert measurement.outcome is Outcome.WORKLOAD_ERROR
    assert "no JSON object" in measurement.message
    assert "no numbers today" in measurement.log
    assert "sorry" in measurement.log


def line(**changes):
    return json.dumps(METRICS | changes)


def test_metrics_are_the_last_line_that_is_an_object_and_only_those_declared():
    output = line(makespan_s=9) + "\nwarming up\n" + line(makespan_s=7, more=1) + "\ndone\n"
    metrics, fault = read_metrics(WORKLOAD, output)
    assert fault == ""
    assert metrics == METRICS | {"makespan_s": 7.0}
    assert all(type(value) is float for value in metrics.values())


@pytest.mark.parametrize(
    ("output", "fault"),
    [
        ("", "no JSON object"),
        ("all is well", "no JSON object"),
        ("[1, 2]", "no JSON object"),
        ("{broken", "not JSON"),
        ("{}", "no finite number for bound_s: None"),
        (line(makespan_s=None), "makespan_s: None"),
        (line(makespan_s=float("nan")), "makespan_s: nan"),
        (line(makespan_s=float("inf")), "makespan_s: inf"),
        (line(makespan_s=-float("inf")), "makespan_s: -inf"),
        (line(makespan_s="1.5"), "makespan_s: '1.5'"),
        (line(makespan_s=True), "makespan_s: True"),
        (line(makespan_s=[1]), "makespan_s"),
        (line().replace("1.5", "1e999"), "inf"),
        (line().replace("1.5", "9" * 400), "bound_s"),
        ("{" + '"a":{' * 100_000, "not JSON"),
    ],
)
def test_what_is_no_finite_number_is_no_metric(output, fault):
    metrics, found = read_metrics(WORKLOAD, output)
    assert metrics == {}
    assert fault in found
