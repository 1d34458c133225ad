"""Run a trial while a program in the guest watches it: a profiler, a probe, or a tool such as perf."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schedcp_gym.control.analysis.program import GUEST, guest_files
from schedcp_gym.lab import Lab
from schedcp_gym.lab.attempts import run_job
from schedcp_gym.lab.compiler import CompileError, compile_policy
from schedcp_gym.lab.trial_job import build_job, to_measurement
from schedcp_gym.machine import Ending, Job, JobResult
from schedcp_gym.machine.image import Image
from schedcp_gym.spec import BadInput, Measurement, Outcome, SchedcpError, Trial

#: Guest seconds for compiling probes and reading results, in addition to the trial's own.
EXTRA_S = 60.0
#: Most characters of a result that are read. A guest can write anything.
RESULT_LIMIT = 1_000_000
#: Exit status of the run script if the workload's set-up failed.
SETUP_FAILED = 3


@dataclass(frozen=True)
class Watched:
    """The result of a watched run.

    Attributes:
        result: The job's result.
        measurement: The trial's measurement. It includes the watcher's overhead.
    """

    result: JobResult
    measurement: Measurement

    @property
    def host_s(self) -> float:
        """Host seconds of the run."""
        return float(self.result.timings_s.get("total", 0.0))

    def json(self, name: str) -> dict[str, Any] | None:
        """Return a JSON object that the watcher wrote; None if there is no such file, or no object in it."""
        try:
            found = json.loads(self.result.text(name)[:RESULT_LIMIT])
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def about(self) -> dict[str, Any]:
        """Return outcome, metrics, fault, host and guest seconds as plain values."""
        return {
            "outcome": self.measurement.outcome.value,
            "metrics": dict(self.measurement.metrics),
            "fault": fault(self),
            "host_s": round(self.host_s, 3),
            "guest_s": self.result.job_s,
        }


def watch(
    lab: Lab,
    trial: Trial,
    watcher: str,
    files: Mapping[str, bytes],
    extra_s: float = EXTRA_S,
    *,
    host_deadline_speaks: bool = False,
) -> Watched:
    """Run a trial with a watcher.

    Args:
        lab: The lab, for its machine and compiler.
        trial: The trial to run.
        watcher: Name of the guest's program in ``guest/``.
        files: Files that the watcher needs, by name; they are put into ``/job/watch``.
        extra_s: Guest seconds that it may take in addition to the trial's.
        host_deadline_speaks: Whether to return the result of a run that exceeded its host time, because the watcher may
            have stopped the guest. If false, such a run is a fault of the host.

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
        raise SchedcpError(f"the host failed during the analysis: {result.message or result.ending.value}")
    return Watched(result, to_measurement(trial, result, lab.digests(trial)))


def plain_job(trial: Trial, image: Image) -> Job:
    """Return a trial's job without a watcher.

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
    """Return why the guest's run did not end normally; empty if it did."""
    result = watched.result
    if result.oom_kills:
        return f"out of memory: the guest's kernel killed {result.oom_kills} process(es)"
    if result.ending is Ending.DEADLINE:
        return f"not over after {result.job_s or 0:.1f} s of guest time"
    if result.ending is not Ending.EXITED:
        return f"{result.ending.value.replace('_', ' ')}: {printable(result.message)}"
    return printable(result.text("stderr"))[:300] if result.code == SETUP_FAILED else ""


def fault(watched: Watched) -> str:
    """Return why the workload's run failed; empty if it did not."""
    measurement = watched.measurement
    if measurement.outcome is Outcome.OK:
        return ""
    return printable(f"{measurement.outcome.value}: {measurement.message}")[:300]


def printable(text: str) -> str:
    """Return a guest's text as one line without control characters, which a terminal would obey."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
