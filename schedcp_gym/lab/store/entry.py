"""What the store keeps of a trial: how to run it again, and what it gave."""

import dataclasses
import functools
import json
import zlib
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from schedcp_gym.spec import MachineSpec, Measurement, Policy, Scale, Trial, Workload, source_sha256
from schedcp_gym.spec.policy import Value


@dataclass(frozen=True)
class Config:
    """A trial by names and values, its policy's source aside.

    Attributes:
        policy: The policy's name, as it was called when measured.
        source: SHA-256 (hex) of its source; empty for EEVDF.
        tunables: Values that were set.
        workload: The workload's name.
        scale: How long it ran.
        seed: The workload's.
        machine: The machine's spec as JSON.
    """

    policy: str
    source: str
    tunables: dict[str, Value]
    workload: str
    scale: str
    seed: int
    machine: dict[str, Any]

    @classmethod
    def of(cls, trial: Trial) -> "Config":
        """A trial's."""
        return cls(
            policy=trial.policy.name,
            source=source_sha256(trial.policy.source),
            tunables=dict(trial.policy.tunables),
            workload=trial.workload.name,
            scale=trial.scale.value,
            seed=trial.seed,
            machine=dict(_adapter(MachineSpec).dump_python(trial.machine, mode="json")),
        )

    @property
    def clock(self) -> str:
        """``virtual`` or ``real``."""
        return str(self.machine.get("clock", ""))

    def trial(self, source: str, workload: Workload) -> Trial:
        """The trial again.

        Args:
            source: The policy's source.
            workload: The workload of that name, as it is today: the trial's digest tells if it was another then.
        """
        machine = _adapter(MachineSpec).validate_python(self.machine)
        policy = Policy(self.policy, source, tuple(self.tunables.items()))
        return Trial(policy, workload, machine, Scale(self.scale), self.seed)


@dataclass(frozen=True)
class Entry:
    """A stored measurement.

    Attributes:
        key: SHA-256 (hex) of the trial and of all else its measurement follows from: image, QEMU, compiler …
        made: When it was stored, seconds since 1970.
        config: What was measured.
        measurement: What it gave.
    """

    key: str
    made: float
    config: Config
    measurement: Measurement


@functools.cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def plain(measurement: Measurement) -> dict[str, Any]:
    """A measurement as JSON has it."""
    return dict(_adapter(Measurement).dump_python(measurement, mode="json", exclude={"cached"}))


def measurement_of(fields: dict[str, Any]) -> Measurement:
    """A measurement from what :func:`plain` gave, marked as cached.

    Raises:
        ValueError: It is no measurement.
    """
    found: Measurement = _adapter(Measurement).validate_python(fields)
    return dataclasses.replace(found, cached=True)


def pack(measurement: Measurement) -> bytes:
    """A measurement as compressed bytes."""
    return zlib.compress(json.dumps(plain(measurement), separators=(",", ":")).encode(), 6)


def unpack(body: bytes) -> dict[str, Any]:
    """The fields of packed bytes.

    Raises:
        ValueError: They are damaged.
    """
    try:
        fields = json.loads(zlib.decompress(body))
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not isinstance(fields, dict):
        raise ValueError("no measurement")
    return fields
