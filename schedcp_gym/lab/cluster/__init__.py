"""Measure trials on the nodes of a Ray cluster, or with processes of this machine."""

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Ray:
    """Settings of the cluster that measures trials.

    Attributes:
        address: A cluster's ``host:port``, ``auto`` for the one that runs on this machine, or ``local`` for one of our
            own, which ends with us. None: no Ray, but threads of this process.
        cpus_per_trial: CPUs a trial on the virtual clock is counted as; less than 1 oversubscribes. One on the real
            clock always gets as many cores of its own as its machine has CPUs.
    """

    address: str | None = None
    cpus_per_trial: float = Field(default=1.0, gt=0, le=64)
