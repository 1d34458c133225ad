"""A stored measurement: how to run its trial again, and what it gave."""

import dataclasses
import functools
import hashlib
import json
import zlib
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from schedcp_gym.spec import MachineSpec, Measurement, Policy, Scale, Trial, Workload, source_sha256
from schedcp_gym.spec.policy import Value

CHECKSUM_BYTES = 16


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
        """Return a trial's configuration."""
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
        """Return the trial again.

        Args:
            source: The policy's source.
            workload: The workload of that name, as it is today: the trial's digest tells if it was another then.
        """
        machine = _adapter(MachineSpec).validate_python(self.machine)
        policy = Policy(self.policy, source, tuple(self.tunables.items()))
        return Trial(policy, workload, machine, Scale(self.scale), self.seed)


@dataclass(frozen=True)
class Stored:
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
    """Return a measurement as JSON has it."""
    return dict(_adapter(Measurement).dump_python(measurement, mode="json", exclude={"cached"}))


def measurement_of(fields: dict[str, Any]) -> Measurement:
    """Return a measurement from what :func:`plain` gave, marked as cached.

    Raises:
        ValueError: It is no measurement.
    """
    found: Measurement = _adapter(Measurement).validate_python(fields)
    return dataclasses.replace(found, cached=True)


def pack(entry: Stored) -> bytes:
    """Return it as compressed bytes after their checksum: zlib's own misses a flipped bit in one of 2,000."""
    fields = _adapter(Stored).dump_python(entry, mode="json", exclude={"measurement": {"cached"}})
    content = zlib.compress(json.dumps(fields, separators=(",", ":")).encode(), 9)
    return _checksum(content) + content


def unpack(key: str, body: bytes) -> Stored:
    """Return the stored measurement of packed bytes, marked as cached.

    Raises:
        ValueError: They are damaged, or of another key.
    """
    checksum, content = body[:CHECKSUM_BYTES], body[CHECKSUM_BYTES:]
    if checksum != _checksum(content):
        raise ValueError("it is damaged")
    found: Stored = _adapter(Stored).validate_python(json.loads(zlib.decompress(content)))
    if found.key != key:
        raise ValueError("it is another's")
    return dataclasses.replace(found, measurement=dataclasses.replace(found.measurement, cached=True))


def _checksum(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=CHECKSUM_BYTES).digest()
