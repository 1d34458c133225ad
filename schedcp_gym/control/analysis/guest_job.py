"""A trial as a job that is watched while it runs, and what came of it."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from schedcp_gym.control.analysis.program import GUEST, guest_files
from schedcp_gym.lab import Lab
from schedcp_gym.lab.attempts import run_job
from schedcp_gym.lab.compiler import CompileError, compile_policy
from schedcp_gym.lab.trial_job import build_job, to_measurement
from schedcp_gym.machine import Ending, Job, JobResult
from schedcp_gym.machine.image import Image
from schedcp_gym.spec import BadInput, Measurement, Outcome, SchedcpError, Trial

#: Guest seconds for compiling and reading, beyond the trial's own.
EXTRA_S = 60.0
#: Characters of a result that are read at most; a guest can write anything.
RESULT_LIMIT = 1_000_000
#: The run script's status when the workload's set-up failed.
SETUP_FAILED = 3


@dataclasses.dataclass(frozen=True)
class Watched:
    """What a watched run gave.

    Attributes:
        result: The job's result.
        measurement: The trial's, with the watcher's overhead in it.
    """

    result: JobResult
    measurement: Measurement

    @property
    def host_s(self) -> float:
        """Host seconds of the run."""
        return float(self.result.timings_s.get("total", 0.0))

    def json(self, name: str) -> dict[str, Any] | None:
        """A file the watcher left; None when it left none, or no JSON object."""
        try:
            found = json.loads(self.result.text(name)[:RESULT_LIMIT])
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None


def watch(
    lab: Lab,
    trial: Trial,
    watcher: str,
    files: Mapping[str, bytes],
    extra_s: float = EXTRA_S,
    *,
    host_deadline_speaks: bool = False,
) -> Watched:
    """Runs a trial with a watcher.

    Args:
        lab: For machine and compiler.
        trial: What to run.
        watcher: Name of the guest's program in ``guest/``.
        files: What the watcher needs, in ``/job/watch``.
        extra_s: Guest seconds it may take beyond the trial's.
        host_deadline_speaks: Whether a run that took too much host time says something of the watcher (which may have
            stopped the guest); else the host counts as too slow.

    Raises:
        BadInput: The policy does not compile.
        SchedcpError: The host failed.
    """
    machine = lab.machine(trial.machine)
    own = guest_files()
    own["watch/watch.py"] = own[f"watch/{watcher}"]
    everything = {
        **plain_job(trial, machine.image).files,
        **own,
        **{f"watch/{name}": content for name, content in files.items()},
        "run": (GUEST / "run-profile.sh").read_bytes(),
    }
    result = run_job(machine, Job(everything, trial.max_job_s + extra_s), cold=lab.cold)
    if result.host_failed or (result.says_nothing and not host_deadline_speaks):
        raise SchedcpError(f"the host failed the analysis: {result.message or result.ending.value}")
    return Watched(result, to_measurement(trial, result, lab.digests(trial)))


def plain_job(trial: Trial, image: Image) -> Job:
    """A trial's job, with nobody watching yet.

    Raises:
        BadInput: The policy does not compile.
    """
    if trial.policy.is_eevdf:
        return build_job(trial, None)
    try:
        return build_job(trial, compile_policy(trial.policy.source, image))
    except CompileError as error:
        raise BadInput(f"policy {trial.policy.name} does not compile: {error.first}") from None


def ending(watched: Watched) -> str:
    """Why the guest's run did not come to its end; empty when it did."""
    result = watched.result
    if result.oom_kills:
        return f"out of memory: the guest's kernel killed {result.oom_kills} process(es)"
    if result.ending is Ending.DEADLINE:
        return f"not over after {result.job_s or 0:.1f} s of guest time"
    if result.ending is not Ending.EXITED:
        return f"{result.ending.value.replace('_', ' ')}: {printable(result.message)}"
    return printable(result.text("stderr"))[:300] if result.code == SETUP_FAILED else ""


def fault(watched: Watched) -> str:
    """What went wrong with the workload's run itself; empty when nothing did."""
    measurement = watched.measurement
    if measurement.outcome is Outcome.OK:
        return ""
    return printable(f"{measurement.outcome.value}: {measurement.message}")[:300]


def printable(text: str) -> str:
    """What a guest wrote as one line without control characters: a terminal must not obey it."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
