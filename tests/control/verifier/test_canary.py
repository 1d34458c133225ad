"""What of a deployment needs no machine: its settings, who is let in, and how odd reports are read."""

import datetime
import json
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError
from typer import Typer
from typer.testing import CliRunner

from schedcp_gym.cli import deploy as cli_deploy
from schedcp_gym.control.verifier import canary
from schedcp_gym.control.verifier import token as tokens
from schedcp_gym.control.verifier.canary import CanaryConfig, CanaryReport, Verdict
from schedcp_gym.control.verifier.report import Stage
from schedcp_gym.lab import catalogue
from schedcp_gym.machine import Ending, JobResult
from schedcp_gym.spec import BadInput, MachineSpec

LOADER = Path(canary.__file__).parents[2] / "bpf" / "loader"
REPORT = {
    "verdict": "reverted",
    "reason": "progress is 0.498, beyond its limit 0.682, at 100 % of the tasks",
    "policy": "collapse",
    "fallback": "vtime",
    "in_charge": "vtime",
    "breach": {"figure": "progress", "value": 0.498, "limit": 0.682, "share_percent": 100},
    "breach_at_s": 7.0,
    "reverted_at_s": 7.0625,
    "in_time": True,
    "tasks_before": 11,
    "tasks_after": 10,
    "tasks_stuck": 1,
    "tasks_killed": 2,
    "exit": {"kind": 64, "code": 0, "reason": "", "msg": ""},
    "command": {"exit_code": 0, "signal": 0},
    "wall_s": 10.5,
    "phases": [],
    "kernel_log": "sched_ext: disabled\n",
}


@pytest.fixture
def workload():
    return catalogue.load_workload("schbench")


def report(workload, files, ending=Ending.EXITED, **more):
    return canary._to_report(
        JobResult(ending, files={name: text.encode() for name, text in files.items()}, **more), workload, {}
    )


def test_the_settings_are_those_that_the_guests_program_knows():
    source = (LOADER / "canary_report.c").read_text()
    lines = CanaryConfig().lines().splitlines()
    for line in lines:
        name, value = line.split("=")
        assert f"SETTING({name})" in source or name == "shares_percent"
        assert value == "10,25,50" if name == "shares_percent" else int(value) > 0
    assert len(lines) == source.count("SETTING(") - 1 + 1  # less the macro itself, plus the shares


@pytest.mark.parametrize(
    "wrong",
    [
        {"shares_percent": (0,)},
        {"shares_percent": (91,)},
        {"shares_percent": tuple(range(1, 18))},
        {"tick_ms": 1},
        {"stall_ms": 0},
        {"progress_percent": 101},
        {"window_ms": 900},
        {"phase_ms": 699},
        {"watch_ms": 699},
        {"no_such": 1},
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        TypeAdapter(CanaryConfig).validate_python(wrong)


def test_a_report_is_read(workload):
    found = report(workload, {"report.json": json.dumps(REPORT), "workload.err": "a word\n"})
    assert found.verdict is Verdict.REVERTED
    assert not found.kept
    assert found.breach.figure == "progress"
    assert found.revert_ms == 62.5
    assert found.tasks_lost == 3
    assert found.metrics == {}
    assert "a word" in found.log
    assert "sched_ext: disabled" in found.log
    assert "timings_s" not in found.exact()
    json.dumps(found.exact())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        "{",
        "[" * 100_000,
        json.dumps({**REPORT, "verdict": "fine"}),
        json.dumps({**REPORT, "x": 1}),
    ],
)
def test_a_report_that_is_none_is_a_failure(workload, text):
    found = report(workload, {"report.json": text})
    assert found.verdict is Verdict.FAILED
    assert found.reason


@pytest.mark.parametrize(
    ("ending", "more", "why"),
    [
        (Ending.DEADLINE, {"job_s": 20.0}, "not over after 20.0 s"),
        (Ending.CRASHED, {"message": "the guest's kernel panicked"}, "panicked"),
        (Ending.EXITED, {"oom_kills": 2}, "out of memory"),
    ],
)
def test_a_guest_that_did_not_survive_is_a_failure_with_its_reason(workload, ending, more, why):
    found = report(workload, {}, ending, **more)
    assert found.verdict is Verdict.FAILED
    assert why in found.reason


class NoMachine:
    """A lab without a machine: an image is all that a refusal may ask for."""

    def __init__(self, image):
        self._image = image

    def image(self, kernel):
        return self._image


class NoImage(NoMachine):
    def image(self, kernel):
        raise AssertionError("a token that is none must not cost an image")


@pytest.fixture
def vtime(tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDCP_STATE", str(tmp_path))
    return catalogue.load_policy("vtime", {"slice_us": 4000})


def test_a_token_that_is_forged_or_expired_costs_nothing(vtime, workload):
    for token, why in (
        ("scp1.AA.AA", "forged"),
        ("nonsense", "malformed"),
        (_token(vtime, now=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)), "expired"),
    ):
        with pytest.raises(BadInput, match=why):
            canary.deploy(vtime, token, workload, lab=NoImage(None))


def _token(policy, digest="00" * 32, kernel="7", image="ab" * 32, stages=Stage, **more):
    class Image:
        pass

    Image.kernel, Image.digest = kernel, image
    return tokens.issue(
        object_digest=digest, image=Image, tunables=policy.tunables, stages=stages, machine=MachineSpec(), **more
    )


def test_eevdf_can_not_be_deployed(workload):
    with pytest.raises(BadInput, match="nothing to deploy"):
        canary.deploy(catalogue.load_policy("eevdf"), "", workload, lab=NoImage(None))


@pytest.mark.guest
def test_a_token_for_something_else_starts_no_machine(vtime, workload, image):
    from schedcp_gym.lab.compiler import compile_policy

    whole = tokens.object_digest(compile_policy(vtime.source, image))
    here = {"digest": whole, "kernel": image.kernel, "image": image.digest}
    for token, why in (
        (_token(vtime, **{**here, "digest": "00" * 32}), "another object"),
        (_token(vtime, **{**here, "kernel": "7.2"}), "another kernel"),
        (_token(vtime, **{**here, "image": "00" * 32}), "another image"),
        (_token(vtime, **here, stages=[Stage.SOURCE]), "lacks stages kernel, behaviour, performance"),
        (_token(catalogue.load_policy("vtime"), **here), "other tunables: the defaults"),
    ):
        with pytest.raises(BadInput, match=why):
            canary.deploy(vtime, token, workload, lab=NoMachine(image))
    with pytest.raises(AttributeError, match="machine"):  # a good one does ask for it
        canary.deploy(vtime, _token(vtime, **here), workload, lab=NoMachine(image))


def run_command(*arguments):
    app = Typer()
    app.command()(cli_deploy.deploy)
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("vtime", "--token", "@/no/such/file"), "does not exist"),
        (("vtime", "--token", "x", "--shares", "10,x"), "whole numbers"),
        (("vtime", "--token", "x", "--shares", "95"), "shares_percent"),
        (("vtime", "--token", "x", "--limit", "stall_ms"), "NAME=VALUE"),
        (("vtime", "--token", "x", "--limit", "no_such=1"), "no_such"),
        (("vtime", "--token", "x"), "malformed"),
        (("no_such", "--token", "x"), "unknown policy"),
    ],
)
def test_the_command_says_what_is_wrong(arguments, why, vtime):
    result = run_command(*arguments)
    assert isinstance(result.exception, BadInput)
    assert why in str(result.exception)


def test_the_command_prints_what_became_of_it(capsys):
    cli_deploy._print(
        TypeAdapter(CanaryReport).validate_python(
            {
                name: value
                for name, value in REPORT.items()
                if name not in ("exit", "command", "kernel_log", "tasks_stuck", "tasks_killed")
            }
        )
    )
    printed = capsys.readouterr().out
    assert "reverted: progress is 0.498" in printed
    assert "vtime in charge 62 ms after the breach, 0 of 11 tasks lost" in printed
