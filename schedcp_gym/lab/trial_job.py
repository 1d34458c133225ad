"""A trial as a machine's job, and the job's result as a measurement."""

import hashlib
import json
import logging
import math
import shlex
from pathlib import Path
from typing import Any

from schedcp_gym.machine import Ending, Job, JobResult
from schedcp_gym.machine.models import COSTS, DECLARED, RESET, declared, read_costs
from schedcp_gym.paths import SHARED, WORKLOADS
from schedcp_gym.spec import Clock, Measurement, Outcome, Policy, Trial, Workload

log = logging.getLogger(__name__)

RUN_SCRIPT = Path(__file__).with_name("run-trial.sh")
LOG_LIMIT = 20_000
#: What does not travel with each job: sources, which are compiled into the image, and declarations: where a program's
#: pages lie follows from what was unpacked before it, so another word in a description would change the figures.
LEFT_OUT = (".c", ".h", ".o", "workload.yaml", ".variant.yaml")


def build_job(trial: Trial, compiled: bytes | None) -> Job:
    """Return the job of a trial.

    Args:
        trial: What to measure.
        compiled: The policy's object; None for EEVDF.

    Raises:
        BadInput: A placeholder of the workload's commands has no value.
    """
    workload = trial.workload
    setup = workload.arguments(workload.setup, trial.scale, trial.seed, trial.machine.cpus)
    command = workload.arguments(workload.command, trial.scale, trial.seed, trial.machine.cpus)
    environment = {"WORKLOAD": workload.folder, "SEED": trial.seed, "CPUS": trial.machine.cpus}
    files = {
        "run": RUN_SCRIPT.read_bytes(),
        "environment": "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in environment.items()).encode(),
        "setup": (shlex.join(setup) + "\n").encode() if setup else b"",
        "command": f"exec {shlex.join(command)}\n".encode(),
        **_workload_files(workload),
    }
    if trial.machine.cache_model:
        # What was charged before the workload's own command is not part of what is measured.
        files["command"] = f"echo 1 >{RESET}\n".encode() + files["command"]
        files[DECLARED] = declared(workload.caches)
    if compiled is not None:
        files["policy.bpf.o"] = compiled
        files["tunables"] = tunables_file(trial.policy)
    return Job(files, trial.max_job_s)


def tunables_file(policy: Policy) -> bytes:
    """Return a policy's tunables as the loader reads them: a line each."""
    values = ((name, int(value) if isinstance(value, bool) else value) for name, value in policy.tunables)
    return "".join(f"{name}={value}\n" for name, value in values).encode()


def _workload_files(workload: Workload) -> dict[str, bytes]:
    folder = WORKLOADS / workload.folder
    files = {
        f"workload/{path.relative_to(folder)}": path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(LEFT_OUT) and "__pycache__" not in path.parts
    }
    shared = (SHARED / name for name in workload.shared)
    return files | {f"shared/{path.name}": path.read_bytes() for path in shared if not path.name.endswith(LEFT_OUT)}


def to_measurement(trial: Trial, result: JobResult, digests: dict[str, str]) -> Measurement:
    """Return the measurement that a job's result gives for its trial."""
    common: dict[str, Any] = {
        "trial": trial.digest,
        "digests": digests,
        "timings_s": dict(result.timings_s),
        "job_s": result.job_s,
        "pages_scanned": result.pages_scanned,
    }
    if result.pages_scanned and trial.machine.clock is Clock.VIRTUAL:
        log.warning(
            "the guest was short of memory (%d pages scanned): the measurement need not be exact", result.pages_scanned
        )
    outcome, message = _ending(result)
    report = read_report(result)
    if outcome is None and report is None:
        outcome = Outcome.WORKLOAD_ERROR
        message = result.text("stderr").strip()[-500:] or "the trial left no report"
    if outcome is not None or report is None:
        lines = "\n".join(filter(None, (result.text("stderr"), result.text("setup.log"), result.console)))
        return Measurement(outcome=outcome or Outcome.GUEST_CRASH, message=message, log=lines[-LOG_LIMIT:], **common)
    try:
        return _reported(trial, result, report, common)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        message = f"the trial's report can't be read: {type(error).__name__} {error}"
        return Measurement(
            outcome=Outcome.WORKLOAD_ERROR, message=message, log=result.text("report.json")[:1000], **common
        )


def _reported(trial: Trial, result: JobResult, report: dict[str, Any], common: dict[str, Any]) -> Measurement:
    """Return the measurement of a trial that left a report."""
    common = common | {
        "events": {str(name): int(count) for name, count in report["events"].items() if count},
        "cpu_s_by_name": {str(name): float(spent) for name, spent in report["cpu_s_by_name"].items()},
        "utilisation": _utilisation(report),
        "caches": read_costs(result.text(COSTS)),
    }
    outcome = Outcome(report["outcome"])
    if outcome is not Outcome.OK:
        return Measurement(outcome=outcome, message=_why(report, result), log=_evidence(report, result), **common)
    metrics, fault = read_metrics(trial.workload, result.text("workload.out"))
    if fault:
        lines = result.text("workload.out")[-LOG_LIMIT // 2 :] + result.text("workload.err")[-LOG_LIMIT // 2 :]
        return Measurement(outcome=Outcome.WORKLOAD_ERROR, message=fault, log=lines, **common)
    return Measurement(outcome=Outcome.OK, metrics=metrics, **common)


def _ending(result: JobResult) -> tuple[Outcome | None, str]:
    if result.oom_kills:
        return Outcome.GUEST_CRASH, f"out of memory: the guest's kernel killed {result.oom_kills} process(es)"
    if result.ending is Ending.DEADLINE:
        return Outcome.TIMEOUT, f"not over after {result.job_s:.1f} s of guest time"
    if result.ending is Ending.HOST_DEADLINE:
        return Outcome.TIMEOUT, result.message
    if result.host_failed:
        return Outcome.INFRA_FAULT, result.message or "QEMU was killed"
    if result.ending in (Ending.CRASHED, Ending.GUEST_FAILED):
        return Outcome.GUEST_CRASH, result.message
    if result.ending is Ending.SIGNALLED:
        return Outcome.GUEST_CRASH, f"the trial's own script was killed by signal {result.code}"
    return None, ""


def read_report(result: JobResult) -> dict[str, Any] | None:
    """Return the loader's report; None when the guest left none, or something else."""
    try:
        report = json.loads(result.text("report.json"))
    except (ValueError, RecursionError):
        return None
    return report if isinstance(report, dict) else None


def _utilisation(report: dict[str, Any]) -> float | None:
    if not report.get("wall_s"):
        return None
    return round(min(1.0, float(report["cpu_s"]) / (float(report["wall_s"]) * int(report["cpus"]))), 6)


def _why(report: dict[str, Any], result: JobResult) -> str:
    exit_record = report.get("exit") or {}
    parts = [f"{report['stage']}: {report['message']}"]
    parts += [str(exit_record[name]) for name in ("reason", "msg") if exit_record.get(name)]
    if report["outcome"] == Outcome.WORKLOAD_ERROR:
        parts.append(result.text("workload.err").strip()[-300:])
    return "; ".join(part for part in parts if part)


def _evidence(report: dict[str, Any], result: JobResult) -> str:
    """Return the end of the kernel verifier's log and of the kernel's own lines: the reason stands at the end."""
    parts = [result.text("verifier.log"), report.get("kernel_log") or "", result.text("workload.err")]
    return "\n".join(part.strip() for part in parts if part.strip())[-LOG_LIMIT:]


def read_metrics(workload: Workload, output: str) -> tuple[dict[str, float], str]:
    """Read a workload's metrics: the last line of its output that is a JSON object.

    Returns:
        The metrics, and what is wrong with them (empty when nothing is).
    """
    found = None
    for line in reversed(output.strip().splitlines()):
        if line.lstrip().startswith("{"):
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):
                return {}, "the workload's last JSON line is not JSON"
            break
    if not isinstance(found, dict):
        return {}, "the workload printed no JSON object"
    metrics = {}
    for name in sorted(workload.metrics):
        value = found.get(name)
        number = _finite(value)
        if number is None:
            return {}, f"the workload gave no finite number for {name}: {repr(value)[:100]}"
        metrics[name] = number
    return metrics, ""


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def runner_digest() -> str:
    """Return the SHA-256 (hex) of the script that runs a trial in the guest."""
    return hashlib.sha256(RUN_SCRIPT.read_bytes()).hexdigest()
