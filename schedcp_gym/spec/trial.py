"""Trials: a trial identifies a measurement."""

from functools import cached_property
from typing import Any

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from schedcp_gym.spec.digest import digest
from schedcp_gym.spec.machine import DEFAULT_JOB_S, MachineSpec
from schedcp_gym.spec.policy import Policy
from schedcp_gym.spec.workload import Scale, Workload


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Trial:
    """A policy on a workload on a machine with a seed. On the virtual clock, equal trials have equal measurements.

    Attributes:
        policy: The policy.
        workload: The workload.
        machine: The machine.
        scale: How long the workload runs.
        seed: The workload seed. It sets names, order and data, but not the amount of work.
    """

    policy: Policy
    workload: Workload
    machine: MachineSpec = MachineSpec()
    scale: Scale = Scale.SMOKE
    seed: int = Field(default=0, ge=0, le=2**31 - 1)

    @property
    def max_job_s(self) -> float:
        """Return the limit of the job in guest seconds: the machine's, else the workload's for this scale."""
        return self.machine.max_job_s or self.workload.max_job_s.get(self.scale, DEFAULT_JOB_S)

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 (hex) of everything that defines the trial.

        A policy's name, a workload's texts and a limit of host time do not change a result, so they are left out.
        """
        machine = self.machine
        parameters = self.workload.parameters(self.scale, machine.cpus)
        identity: dict[str, Any] = {
            "source": self.policy.source,
            "tunables": dict(self.policy.tunables),
            "workload": [self.workload.name, self.workload.digest, self.scale],
            "metrics": sorted(self.workload.metrics),
            "arguments": [self.workload.setup, self.workload.command, parameters],
            "machine": [machine.cpus, machine.memory_mib, machine.clock, machine.kernel, self.max_job_s],
            "seed": self.seed,
        }
        if machine.topology:
            identity["topology"] = [machine.topology, machine.cache_model]
        if machine.cache_model:
            identity["caches"] = self.workload.caches
        return digest(identity)
