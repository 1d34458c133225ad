"""Compile: a trial in, a trial with its policy's object and all that its measurement follows from out."""

import functools
import hashlib
import logging
from dataclasses import dataclass

from schedcp_gym.lab.compiler import CompileError, compile_policy, find_clang, object_key
from schedcp_gym.lab.jail import JailKilled
from schedcp_gym.lab.trial_job import runner_digest
from schedcp_gym.machine import Machine
from schedcp_gym.spec import Measurement, Outcome, Trial, source_sha256
from schedcp_gym.spec.digest import digest

log = logging.getLogger(__name__)

#: How often compiling is tried again after something outside has killed the compiler.
RETRIES = 2


@dataclass(frozen=True)
class Compiled:
    """A trial that can run, or whose outcome is known without a run.

    Attributes:
        trial: The trial.
        machine: The machine that it needs.
        digests: What a measurement of it has as ``digests``.
        policy_object: The policy's object file; None for EEVDF, and where there is a verdict.
        verdict: The measurement of a policy that does not compile; None if the trial has to run.
    """

    trial: Trial
    machine: Machine
    digests: dict[str, str]
    policy_object: bytes | None = None
    verdict: Measurement | None = None

    @functools.cached_property
    def key(self) -> str:
        """Return the SHA-256 (hex) of all that the measurement follows from: its key in the store."""
        return digest(parts_of(self.trial, self.machine))


def compile_trial(trial: Trial, machine: Machine) -> Compiled:
    """Compile a trial's policy for a machine's kernel.

    Raises:
        MissingTool: The compiler, or what its jail needs, is not installed.
    """
    digests = parts_of(trial, machine)
    digests.pop("compiling", None)
    if trial.policy.is_eevdf:
        return Compiled(trial, machine, digests)
    try:
        compiled = _compiled(trial.policy.source, machine)
    except CompileError as error:
        verdict = _without_run(trial, Outcome.REJECTED, f"compile: {error.first}", digests, str(error))
        return Compiled(trial, machine, digests, verdict=verdict)
    except JailKilled as error:
        return Compiled(trial, machine, digests, verdict=_without_run(trial, Outcome.INFRA_FAULT, str(error), digests))
    return Compiled(trial, machine, {**digests, "object": hashlib.sha256(compiled).hexdigest()}, compiled)


def parts_of(trial: Trial, machine: Machine) -> dict[str, str]:
    """Return the digests and versions of all that a trial's measurement follows from, by name.

    Raises:
        MissingTool: The compiler is not installed.
    """
    parts = {**digests_of(trial, machine), "runner": runner_digest()}
    if not trial.policy.is_eevdf:
        parts["policy"] = source_sha256(trial.policy.source)
        parts["clang"] = find_clang().version
        parts["compiling"] = object_key(trial.policy.source, machine.image)
    return parts


def digests_of(trial: Trial, machine: Machine) -> dict[str, str]:
    """Return what is needed to repeat a trial's run, without its policy and without what watches it."""
    return {"trial": trial.digest, **machine.identity, "workload": trial.workload.digest}


def _compiled(source: str, machine: Machine) -> bytes:
    for attempt in range(RETRIES):
        try:
            return compile_policy(source, machine.image)
        except JailKilled as error:
            log.warning("fault of the host (%s), attempt %d of %d", error, attempt + 1, RETRIES + 1)
    return compile_policy(source, machine.image)


def _without_run(trial: Trial, outcome: Outcome, message: str, digests: dict[str, str], log: str = "") -> Measurement:
    times = {"restore": 0.0, "job": 0.0, "total": 0.0}
    return Measurement(trial.digest, outcome, message=message, log=log, digests=digests, timings_s=times)
