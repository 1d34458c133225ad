"""Content digests: the same value gives the same text on every host."""

import dataclasses
import enum
import hashlib
import json
from collections.abc import Mapping
from typing import Any


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def digest(value: Any) -> str:
    """SHA-256 (hex) of a value's canonical JSON.

    Args:
        value: Anything made of dataclasses, enums, dicts, sequences, strings, numbers and None.

    Raises:
        TypeError: The value holds something JSON has no word for.
        ValueError: The value holds a number that is not finite.
    """
    text = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def policy_id(source: str, values: Mapping[str, Any]) -> str:
    """What results of a policy of that source and values are kept under, in the policy repository and its exports."""
    return digest([source, dict(values)])[:16]
