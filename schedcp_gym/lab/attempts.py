"""A job on a machine, run again when the host failed it."""

import dataclasses
import logging
import time

from schedcp_gym.machine import Job, JobResult, Machine

log = logging.getLogger(__name__)

#: How often a job is run again.
RETRIES = 2


def run_job(machine: Machine, job: Job, *, cold: bool = False) -> JobResult:
    """Run a job, and again, a few times, when the host failed it.

    Args:
        machine: The machine.
        job: What to run.
        cold: Boot instead of restoring the snapshot.

    Returns:
        The last result; its ``total`` time is that of all attempts.

    Raises:
        SchedcpError: The machine can't be booted at all.
    """
    began = time.monotonic()
    for attempt in range(RETRIES + 1):
        result = machine.run(job, cold=cold)
        if not result.host_failed or machine.stopped:
            break
        log.warning(
            "fault of the host (%s), attempt %d of %d", result.message or result.ending, attempt + 1, RETRIES + 1
        )
    return dataclasses.replace(result, timings_s={**result.timings_s, "total": time.monotonic() - began})
