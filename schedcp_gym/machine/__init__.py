"""The virtual machine: image, snapshot, QEMU. It takes a job and returns a result."""

from schedcp_gym.machine.job import Ending, Job, JobResult
from schedcp_gym.machine.machine import Machine

__all__ = ["Ending", "Job", "JobResult", "Machine"]
