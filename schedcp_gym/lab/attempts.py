"""A job on a machine, again when it was the host that failed it."""

import logging

from schedcp_gym.machine import Job, JobResult, Machine

log = logging.getLogger(__name__)

#: How often a job is run again.
RETRIES = 2


def run_job(machine: Machine, job: Job, *, cold: bool = False) -> JobResult:
    """Runs a job; one that the host failed is run again, a few times.

    Args:
        machine: Where.
        job: What to run.
        cold: Boot instead of restoring the snapshot.

    Raises:
        SchedcpError: The machine can't be booted at all.
    """
    for attempt in range(RETRIES + 1):
        result = machine.run(job, cold=cold)
        if not result.host_failed or machine.stopped:
            break
        log.warning(
            "fault of the host (%s), attempt %d of %d", result.message or result.ending, attempt + 1, RETRIES + 1
        )
    return result
