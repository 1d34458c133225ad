"""The machine: image, snapshot, QEMU; a job in, a result out."""

from schedcp_gym.machine.job import Ending, Job, JobResult
from schedcp_gym.machine.machine import Machine

__all__ = ["Ending", "Job", "JobResult", "Machine"]
