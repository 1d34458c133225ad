"""A trial: the immutable identity of a measurement."""

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
    """policy × workload × machine × seed. Two equal trials have the same measurement on the virtual clock."""

    policy: Policy
    workload: Workload
    machine: MachineSpec = MachineSpec()
    scale: Scale = Scale.SMOKE
    seed: int = Field(default=0, ge=0, le=2**31 - 1)

    @property
    def max_job_s(self) -> float:
        """Guest seconds the job may take: the machine's limit, else the workload's for the scale."""
        return self.machine.max_job_s or self.workload.max_job_s.get(self.scale, DEFAULT_JOB_S)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of everything that defines the trial.

        A policy's name and a workload's prose do not count; a host-time limit cannot change a result either.
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
