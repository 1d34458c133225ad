"""Execute: jobs of compiled trials in, measurements out, wherever the executor runs them."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from schedcp_gym.lab.attempts import run_job
from schedcp_gym.lab.compiled import Compiled
from schedcp_gym.lab.cores import own_cores
from schedcp_gym.lab.trial_job import build_job, to_measurement
from schedcp_gym.machine import Job, JobResult, Machine
from schedcp_gym.spec import Clock, Measurement


@dataclass(frozen=True)
class Ran:
    """A job's result, and what else was going on meanwhile.

    Attributes:
        result: The job's result.
        host: Real clock: what disturbed the run, as a measurement has it.
        contaminated: Real clock: whether that was too much.
    """

    result: JobResult
    host: dict[str, float] = field(default_factory=dict)
    contaminated: bool = False


class Executor(Protocol):
    """A place that runs jobs: this process, or a cluster. Several threads may use it at once."""

    @property
    def workers(self) -> int:
        """Return how many jobs on the virtual clock can run at once."""

    @property
    def ahead(self) -> int:
        """Return how many calls of ``run`` may wait or run for each worker, so that none is ever idle."""

    @property
    def has_separate_cores(self) -> bool:
        """Return whether jobs on the real clock can run at once without a disturbance, each on its own cores."""

    def run(self, machine: Machine, jobs: Sequence[Job], *, cold: bool) -> tuple[Ran, ...]:
        """Run jobs one after the other in one place; return their results in order.

        A fault of the host is retried, then returned as a result whose ``host_failed`` is true. When the machine is
        stopped, the call returns soon with such results.

        Args:
            machine: The machine they need.
            jobs: The jobs.
            cold: Boot instead of restoring the snapshot.

        Raises:
            SchedcpError: The machine can't be booted at all, or no place is large enough for it.
        """


@dataclass(frozen=True)
class Local:
    """Runs jobs in threads of this process.

    Attributes:
        workers: Jobs that run at once.
    """

    workers: int
    ahead: int = 1
    has_separate_cores: bool = False

    def run(self, machine: Machine, jobs: Sequence[Job], *, cold: bool) -> tuple[Ran, ...]:
        """Run jobs in this thread; see :meth:`Executor.run`."""
        return run_here(machine, jobs, cold=cold)


def execute(executor: Executor, trials: Sequence[Compiled], *, cold: bool) -> tuple[Measurement, ...]:
    """Return the measurements of compiled trials that run one after the other in one place.

    Args:
        executor: Runs the jobs.
        trials: They need the same machine. One that has a verdict already is not run.
        cold: Boot instead of restoring the snapshot.

    Raises:
        SchedcpError: The machine can't be booted at all, or no place is large enough for it.
    """
    jobs = [build_job(one.trial, one.policy_object) for one in trials if one.verdict is None]
    ran = iter(executor.run(trials[0].machine, jobs, cold=cold) if jobs else ())
    return tuple(one.verdict or _measured(one, next(ran)) for one in trials)


def _measured(one: Compiled, ran: Ran) -> Measurement:
    measurement = to_measurement(one.trial, ran.result, one.digests)
    return dataclasses.replace(measurement, host=ran.host, contaminated=ran.contaminated)


def run_here(machine: Machine, jobs: Sequence[Job], *, cold: bool) -> tuple[Ran, ...]:
    """Run jobs in this thread, one after the other; on the real clock on cores of their own, and watched.

    Raises:
        SchedcpError: The machine can't be booted at all.
    """
    if machine.spec.clock is Clock.VIRTUAL:
        return tuple(Ran(run_job(machine, job, cold=cold)) for job in jobs)
    ran = []
    with own_cores(machine.spec.cpus) as cores:
        for job in jobs:
            with cores.watched() as disturbance:
                result = run_job(machine, job, cold=cold)
            ran.append(Ran(result, disturbance.figures(), disturbance.contaminates))
    return tuple(ran)
