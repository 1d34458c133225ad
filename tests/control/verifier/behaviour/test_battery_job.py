"""The battery's job and its result: whatever a guest leaves behind is an answer, never an exception."""

import json

import pytest

from schedcp_gym.control.verifier.behaviour.battery_job import build_job, read_result
from schedcp_gym.control.verifier.behaviour.case import load_cases
from schedcp_gym.control.verifier.behaviour.check import _report
from schedcp_gym.machine import Ending, JobResult
from schedcp_gym.spec import Policy

CASES = {case.name: case for case in load_cases()}
SHARE = [CASES["exits"], CASES["reload"]]
REPORT = {
    "outcome": "ok",
    "ops": "x",
    "timeout_ms": 5000,
    "takes_all": True,
    "memory_kib": 2048,
    "entries": 7,
    "events": {"SCX_EV_SELECT_CPU_FALLBACK": 3, "SCX_EV_OTHER": 0},
    "kernel_log": "",
}
PROGRESS = "begin exits 1.0 0\nend exits 2.0 0\nbegin reload 2.0 0\nend reload 3.0 0\n"
FILES = {
    "report.json": json.dumps(REPORT),
    "battery/cases": PROGRESS,
    "battery/exits.figures": "longest_end_ms 12.5\nphantom_tasks 0\nlost_tasks 0\n",
    "battery/reload.figures": "failed_loads 0\nstuck_tasks 0\nunload_ms 9\nlost_tasks 0\n",
}


def left(ending=Ending.EXITED, **files):
    content = {**FILES, **{name.replace("__", "/"): text for name, text in files.items()}}
    return JobResult(ending, files={name: text.encode() for name, text in content.items() if text is not None})


def verdict(result):
    return _report([*SHARE, CASES["account"]], [read_result(SHARE, result)], 1.0)


def test_the_job_holds_what_the_guest_needs():
    job = build_job(SHARE, ["a", "b c"], Policy("p", "x", (("flag", True), ("slice_us", 5))), b"\x7fELF")
    assert job.files["cases"] == b"exits\n"
    assert job.files["loading-cases"] == b"reload\n"
    assert job.files["names"] == b"a\nb c\n"
    assert job.files["tunables"] == b"flag=1\nslice_us=5\n"
    assert "policy.bpf.o" not in build_job(SHARE, [], Policy("eevdf"), None).files


def test_cases_that_travel_come_with_their_program_and_all_others_are_a_job_as_ever():
    plain = build_job(SHARE, ["a"], Policy("p", "x"), b"\x7fELF", topology_battery=lambda: b"unwanted")
    assert plain == build_job(SHARE, ["a"], Policy("p", "x"), b"\x7fELF")
    share = [*SHARE, CASES["llc_affinity"], CASES["group_offline"]]
    job = build_job(share, ["a"], Policy("p", "x"), b"\x7fELF", slowdown=2, topology_battery=lambda: b"\x7fELF cases")
    assert job.files["topology-cases"] == b"llc_affinity\ngroup_offline\n"
    assert job.files["topology-battery"] == b"\x7fELF cases"
    assert job.files["cases"] == b"exits\nllc_affinity\n"
    assert job.files["loading-cases"] == b"reload\ngroup_offline\n"
    assert job.files["run-battery"] == plain.files["run"] != job.files["run"]
    added = CASES["llc_affinity"].duration_s + CASES["group_offline"].duration_s
    assert job.max_job_s == pytest.approx(plain.max_job_s + added + 20)


def test_a_good_result_passes_with_all_figures():
    report = verdict(left())
    assert report.passed, report.evidence
    values = {figure.name: figure.value for figure in report.figures}
    assert values["longest_end_ms"] == 12.5
    assert values["wrong_cpus_selected"] == 3
    assert values["table_entries_left"] == 7
    assert values["memory_mib"] == 2
    assert values["takes_all_tasks"] == 1
    assert not report.infra_fault


def test_a_figure_beyond_its_limit_fails_with_why():
    report = verdict(
        left(
            **{
                "battery__exits.figures": "longest_end_ms 99999\nphantom_tasks 0\nlost_tasks 2\n",
                "battery__exits.err": "lost: make\n",
            }
        )
    )
    assert not report.passed
    assert report.summary.startswith("exits: longest_end_ms 99999 (at most")
    assert "and 1 more" in report.summary
    assert CASES["exits"].figures["lost_tasks"].why in report.evidence
    assert "exits: lost: make" in report.evidence


@pytest.mark.parametrize(
    "files",
    [
        {"battery__exits.figures": None},
        {"battery__exits.figures": "longest_end_ms\nlost_tasks nonsense\n\xff"},
        {"battery__exits.figures": "longest_end_ms nan\nlost_tasks nan\n"},
        {"battery__cases": PROGRESS.replace("end exits 2.0 0", "end exits 2.0 124")},
        {"battery__cases": None},
        {"battery__cases": "nonsense\nbegin\n"},
    ],
)
def test_a_case_without_its_figures_fails(files):
    report = verdict(left(**files))
    assert not report.passed
    assert "exits" in report.summary


def test_an_ejected_policy_fails_with_the_case_and_the_kernels_lines():
    told = {
        **REPORT,
        "outcome": "ejected",
        "message": "the policy was ejected while the command ran: runnable task stall",
        "kernel_log": "something else\nsched_ext: BPF scheduler x disabled (runnable task stall)\n",
    }
    report = verdict(left(**{"report.json": json.dumps(told), "battery__cases": "begin exits 1.0 0\n"}))
    assert not report.passed
    assert report.summary.startswith("exits: ejected: the policy was ejected")
    assert "disabled (runnable task stall)" in report.evidence
    assert "something else" not in report.evidence
    assert {figure.case for figure in report.figures} == {"exits"}  # the others were never come to


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (JobResult(Ending.DEADLINE, job_s=70.0), "not over in time"),
        (JobResult(Ending.CRASHED, message="panicked"), "panicked"),
        (JobResult(Ending.EXITED, oom_kills=1), "out of memory"),
        (JobResult(Ending.EXITED), "no report"),
        (JobResult(Ending.EXITED, files={"report.json": b"{"}), "no report"),
        (JobResult(Ending.EXITED, files={"report.json": b"[]"}), "no report"),
        (JobResult(Ending.EXITED, files={"report.json": b'{"outcome": 5, "events": 3, "kernel_log": {}}'}), "5"),
        (left(**{"report.json": json.dumps({**REPORT, "outcome": "rejected", "message": "no"})}), "rejected: no"),
    ],
)
def test_every_bad_ending_fails_with_its_reason(result, text):
    report = verdict(result)
    assert not report.passed
    assert text in report.summary
    assert not report.infra_fault


@pytest.mark.parametrize("ending", [Ending.KILLED, Ending.CLOCK_JUMPED, Ending.HOST_DEADLINE])
def test_a_fault_of_the_host_is_marked(ending):
    report = verdict(JobResult(ending, message="QEMU was killed"))
    assert report.infra_fault
    assert not report.passed
