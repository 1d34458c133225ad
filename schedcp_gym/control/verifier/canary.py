"""Deployment: a verified policy is given to a workload step by step, and taken back at the first sign of harm.

The guest's ``bpf/loader/scx_canary`` decides what happens, because on the virtual clock nothing of the host reaches the
guest during a run. This module checks the token, builds the job, and reads the report.
"""

import enum
import json
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from schedcp_gym.control.verifier import token as tokens
from schedcp_gym.lab import Lab
from schedcp_gym.lab.attempts import run_job
from schedcp_gym.lab.compiler import compile_policy
from schedcp_gym.lab.trial_job import build_job, read_metrics
from schedcp_gym.machine import Ending, Job, JobResult
from schedcp_gym.machine.image import Image
from schedcp_gym.paths import PACKAGE
from schedcp_gym.spec import BadInput, MachineSpec, Policy, Scale, SchedcpError, Trial, Workload

RUN_SCRIPT = PACKAGE / "control" / "verifier" / "run-canary.sh"
LOG_LIMIT = 20_000

Percent = Annotated[int, Field(ge=1, le=90)]
Ms = Annotated[int, Field(ge=1, le=600_000)]


class Verdict(enum.StrEnum):
    """The end of a deployment."""

    KEPT = "kept"  # the policy schedules all tasks, and has done so for the time of watching
    REVERTED = "reverted"  # the last good scheduler is in charge again
    FAILED = "failed"  # the guest crashed, or the workload did not end: nothing is known


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class CanaryConfig:
    """Steps and limits of a deployment.

    Attributes:
        shares_percent: Shares of the workload's tasks that the policy gets first, growing; none: all at once.
        baseline_ms: How long the last good scheduler is watched, to know what is usual.
        settle_ms: At the beginning of each phase, not judged: caches and queues find their state.
        phase_ms: How long each share is watched.
        watch_ms: How long the policy is watched with all tasks before it counts as kept (the watch goes on then).
        window_ms: Over how much of the past the figures are taken.
        tick_ms: How often they are looked at.
        revert_ms: Within what time after a breach the last good scheduler must be in charge again.
        seat_period_ms: In partial mode ordinary tasks come first; the canaries' share of a CPU is kept for them in
            each period of this length.
        stall_ms: Longest time a task that wants to run may go without (or twice the baseline's longest).
        latency_floor_ms: Mean waits up to this are never a breach.
        latency_factor: How many times the baseline's mean waits may become.
        progress_percent: Least progress, as a share of the baseline's, when all tasks are watched.
        canary_progress_percent: The same for a share of the tasks, whose part is harder to tell.
    """

    shares_percent: tuple[Percent, ...] = Field(default=(10, 25, 50), max_length=16)
    baseline_ms: Ms = 1000
    settle_ms: Ms = 200
    phase_ms: Ms = 1000
    watch_ms: Ms = 2000
    window_ms: Ms = 500
    tick_ms: int = Field(default=20, ge=5, le=1000)
    revert_ms: Ms = 1000
    seat_period_ms: int = Field(default=20, ge=5, le=1000)
    stall_ms: Ms = 500
    latency_floor_ms: Ms = 50
    latency_factor: int = Field(default=10, ge=1, le=1000)
    progress_percent: int = Field(default=70, ge=1, le=100)
    canary_progress_percent: int = Field(default=40, ge=1, le=100)

    @model_validator(mode="after")
    def _can_judge(self) -> "CanaryConfig":
        if self.settle_ms + self.window_ms > min(self.phase_ms, self.watch_ms):
            raise ValueError("settle_ms and window_ms must fit into phase_ms and watch_ms: nothing would be judged")
        if any(later <= earlier for earlier, later in zip(self.shares_percent, self.shares_percent[1:], strict=False)):
            raise ValueError("shares_percent must grow from step to step: tasks are never taken from the canary")
        return self

    def lines(self) -> str:
        """Return the text that scx_canary reads."""
        values = {
            **TypeAdapter(CanaryConfig).dump_python(self),
            "shares_percent": ",".join(map(str, self.shares_percent)),
        }
        return "".join(f"{name}={value}\n" for name, value in values.items())


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class CanaryPhase:
    """One step of a deployment.

    Attributes:
        name: ``baseline``, ``canary``, ``full``, ``kept`` or ``reverted``.
        share_percent: Share of the tasks that the new policy was to schedule.
        began_s: When, counted from the workload's start.
        lasted_s: How long it was watched.
        tasks: The workload's tasks at its end.
        canary_tasks: Those of them that the new policy scheduled.
        cpu_s: CPU time that the watched tasks got (the canaries in partial mode, else all).
        wait_s: Time they waited for a CPU, added up over the tasks.
        dispatches: How often one of them was given a CPU.
        figures: ``longest_wait_ms`` (of a wait seen going on), ``mean_wait_ms`` (per dispatch), ``wake_wait_ms`` (of a
            probe that wakes up every 10 ms), ``progress`` (CPU time got, as a share of what could have been had), and
            ``beats_per_s`` where the workload keeps a count.
        limits: Of the same names; the last two are least values, the others largest.
    """

    name: str
    share_percent: int
    began_s: float
    lasted_s: float
    tasks: int
    canary_tasks: int
    cpu_s: float
    wait_s: float
    dispatches: int
    figures: dict[str, float]
    limits: dict[str, float]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Breach:
    """Why a policy was taken back.

    Attributes:
        share_percent: Share of the tasks that it had then.
        figure: Which limit was broken; None when the kernel ejected the policy, or did not take it.
        value: The figure.
        limit: Its limit.
    """

    share_percent: int
    figure: str | None = None
    value: float | None = None
    limit: float | None = None


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class CanaryReport:
    """The result of a deployment.

    Attributes:
        verdict: Whether the policy stayed.
        reason: Why not, in a sentence.
        policy: Name of the new policy's table of callbacks.
        fallback: The last good scheduler: a policy's, or ``eevdf``.
        in_charge: What scheduled when the workload ended.
        breach: What broke; None when nothing did.
        breach_at_s: When it was noticed, counted from the workload's start.
        reverted_at_s: When the last good scheduler was in charge again.
        in_time: Whether that took no longer than ``revert_ms``.
        tasks_before: The workload's tasks at the breach.
        tasks_after: Those of them that were there after the revert; others may have ended by themselves.
        tasks_lost: Those that did not run again within a second, and processes killed by a signal in that time.
        phases: The steps, in order.
        command_exit: The workload's exit status.
        command_signal: The signal that ended it, or 0.
        metrics: The workload's metrics; empty when it did not give them all.
        wall_s: Guest seconds from the workload's start to its end.
        log: The evidence: the kernel's lines, and what programs wrote to standard error.
        digests: What is needed to repeat it.
        timings_s: Host seconds.
    """

    verdict: Verdict
    reason: str
    policy: str
    fallback: str
    in_charge: str
    breach: Breach | None = None
    breach_at_s: float | None = None
    reverted_at_s: float | None = None
    in_time: bool = True
    tasks_before: int = 0
    tasks_after: int = 0
    tasks_lost: int = 0
    phases: tuple[CanaryPhase, ...] = ()
    command_exit: int = 0
    command_signal: int = 0
    metrics: dict[str, float] = Field(default_factory=dict)
    wall_s: float = 0.0
    log: str = ""
    digests: dict[str, str] = Field(default_factory=dict)
    timings_s: dict[str, float] = Field(default_factory=dict)

    @property
    def kept(self) -> bool:
        """Return whether the policy stayed."""
        return self.verdict is Verdict.KEPT

    @property
    def revert_ms(self) -> float | None:
        """Return the milliseconds from the breach until the last good scheduler is in charge again."""
        if self.breach_at_s is None or self.reverted_at_s is None:
            return None
        return round((self.reverted_at_s - self.breach_at_s) * 1000, 3)

    def exact(self) -> dict[str, Any]:
        """Return the part that is a pure function of the deployment (virtual clock)."""
        values: dict[str, Any] = TypeAdapter(CanaryReport).dump_python(self, mode="json")
        return {name: value for name, value in values.items() if name not in ("timings_s", "log")}


def deploy(
    policy: Policy,
    token: str,
    workload: Workload,
    *,
    lab: Lab,
    spec: MachineSpec = MachineSpec(),  # noqa: B008  a frozen value
    config: CanaryConfig = CanaryConfig(),  # noqa: B008  a frozen value
    fallback: Policy | None = None,
    scale: Scale = Scale.STANDARD,
    seed: int = 0,
    beats: str = "",
) -> CanaryReport:
    """Deploy a policy to a running workload, with a circuit breaker.

    Args:
        policy: What to deploy.
        token: The verifier's token, which shows that it passed.
        workload: What runs meanwhile; it should last longer than all phases, or the policy does not stay.
        lab: For image, compiler and machine.
        spec: The machine.
        config: Steps and limits.
        fallback: The last good scheduler; None or ``eevdf`` for the kernel's own.
        scale: How long the workload runs.
        seed: The workload's seed.
        beats: Path, in the guest, of a file where the workload keeps a growing number: its own throughput.

    Raises:
        BadInput: The token is not good for this policy on this kernel; nothing was started.
        SchedcpError: A policy does not compile, or the host failed.
    """
    image, compiled = admit(policy, token, lab=lab, spec=spec)
    digests = {"object": tokens.object_digest(compiled), "image": image.digest, "kernel": image.kernel}
    trial = Trial(policy, workload, spec, scale, seed)
    files = dict(build_job(trial, compiled).files)
    files |= {"run": RUN_SCRIPT.read_bytes(), "config": config.lines().encode(), **_fallback(trial, fallback, image)}
    if beats:
        files["beats"] = beats.encode()
    result = _run(Job(files, trial.max_job_s), lab, spec)
    return _to_report(result, workload, digests)


def admit(policy: Policy, token: str, *, lab: Lab, spec: MachineSpec) -> tuple[Image, bytes]:
    """Check the token before anything is started.

    Returns:
        The image, and the policy's object.

    Raises:
        BadInput: The token is not good for this policy on this machine.
        SchedcpError: The policy does not compile.
    """
    if policy.is_eevdf:
        raise BadInput("eevdf is the kernel's own scheduler: there is nothing to deploy")
    tokens.read(token)  # before anything costly
    image = lab.image(spec.kernel)
    compiled = compile_policy(policy.source, image)
    digest = tokens.object_digest(compiled)
    tokens.check(token, object_digest=digest, image=image, tunables=policy.tunables, machine=spec)
    return image, compiled


def _fallback(trial: Trial, fallback: Policy | None, image: Image) -> dict[str, bytes]:
    if fallback is None or fallback.is_eevdf:
        return {}
    compiled = compile_policy(fallback.source, image)
    files = build_job(Trial(fallback, trial.workload, trial.machine, trial.scale, trial.seed), compiled).files
    return {"fallback.bpf.o": compiled, "fallback-tunables": files["tunables"]}


def _run(job: Job, lab: Lab, spec: MachineSpec) -> JobResult:
    result = run_job(lab.machine(spec), job, cold=lab.cold)
    if result.says_nothing:
        raise SchedcpError(f"the host failed the deployment: {result.message or result.ending.value}")
    return result


def _to_report(result: JobResult, workload: Workload, digests: dict[str, str]) -> CanaryReport:
    common: dict[str, Any] = {"digests": digests, "timings_s": dict(result.timings_s)}
    wrote = [result.text(name) for name in ("verifier.log", "stderr", "workload.err")]
    try:
        found = json.loads(result.text("report.json"))
        common["log"] = "\n".join(filter(None, [*wrote, found.pop("kernel_log")]))[-LOG_LIMIT:]
        command, lost = found.pop("command"), found.pop("tasks_stuck") + found.pop("tasks_killed")
        del found["exit"]
        metrics = read_metrics(workload, result.text("workload.out"))[0]
        return TypeAdapter(CanaryReport).validate_python(
            {
                **found,
                **common,
                "tasks_lost": lost,
                "command_exit": command["exit_code"],
                "command_signal": command["signal"],
                "metrics": metrics,
            }
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ValidationError) as error:
        return CanaryReport(
            verdict=Verdict.FAILED,
            reason=_why_failed(result, error),
            policy="",
            fallback="",
            in_charge="",
            **{**common, "log": "\n".join([*wrote, result.console])[-LOG_LIMIT:]},
        )


def _why_failed(result: JobResult, error: Exception) -> str:
    if result.oom_kills:
        return f"out of memory: the guest's kernel killed {result.oom_kills} process(es)"
    if result.ending is Ending.DEADLINE:
        return f"the workload was not over after {result.job_s:.1f} s of guest time"
    if result.ending is not Ending.EXITED:
        return result.message or result.ending.value
    if not result.text("report.json"):
        return (
            result.text("stderr").strip()[-500:] or result.text("workload.err").strip()[-500:] or "no report was left"
        )
    return f"the report can't be read: {type(error).__name__}"
