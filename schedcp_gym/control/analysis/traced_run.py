"""Run a trial under the tracer."""

import hashlib
import math
from functools import cache

from pydantic.dataclasses import dataclass

from schedcp_gym.control.analysis import trace as traces
from schedcp_gym.control.analysis.guest_job import plain_job
from schedcp_gym.control.analysis.program import GUEST
from schedcp_gym.control.analysis.trace import Trace
from schedcp_gym.lab import Lab
from schedcp_gym.lab.attempts import run_job
from schedcp_gym.lab.compiler import compile_policy
from schedcp_gym.lab.trial_job import to_measurement
from schedcp_gym.machine import Job
from schedcp_gym.machine.image import Image
from schedcp_gym.paths import POLICIES
from schedcp_gym.spec import Measurement, SchedcpError, Trial

RUN_SCRIPT = GUEST / "run-summary.sh"
TRACER = POLICIES / "tracer"
#: Number of windows in the tracer, and the shortest length of a window (2^24 ns, which is 17 ms).
WINDOWS = 8192
SHORTEST_SHIFT = 24


@dataclass(frozen=True)
class TracedRun:
    """The result of a traced run: the trial's measurement, and what the tracer counted."""

    measurement: Measurement
    trace: Trace


@cache
def tracer_source() -> str:
    """Return the tracer's programs as one source, because the compiler finds headers of policies only."""
    header = (TRACER / "trace.h").read_text()
    return (TRACER / "trace.bpf.c").read_text().replace('#include "trace.h"\n', header)


def run_traced(lab: Lab, trial: Trial) -> TracedRun:
    """Run a trial under the tracer.

    Raises:
        BadInput: The policy does not compile.
        SchedcpError: The trial or the host failed.
    """
    machine = lab.machine(trial.machine)
    job = traced_job(trial, machine.image)
    result = run_job(machine, job, cold=lab.cold)
    digests = {**lab.digests(trial), "tracer": hashlib.sha256(job.files["trace.bpf.o"]).hexdigest()}
    measurement = to_measurement(trial, result, digests)
    if not measurement.ok:
        raise SchedcpError(
            f"{trial.workload.name} under {trial.policy.name} can't be summarised: the run ended with "
            f"{measurement.outcome}: {measurement.message}"
        )
    return TracedRun(measurement, traces.read(result.text("trace.json")))


def traced_job(trial: Trial, image: Image) -> Job:
    """Return the job of a trial that runs under the tracer.

    Raises:
        BadInput: The policy does not compile.
    """
    files = dict(plain_job(trial, image).files)
    files["run"] = RUN_SCRIPT.read_bytes()
    files["trace.bpf.o"] = compile_policy(tracer_source(), image)
    files["environment"] += _environment(trial)
    return Job(files, trial.max_job_s)


def _environment(trial: Trial) -> bytes:
    shift = max(SHORTEST_SHIFT, math.ceil(math.log2(trial.max_job_s * 1e9 / WINDOWS)))
    return f"WINDOW_SHIFT={shift}\n".encode()
