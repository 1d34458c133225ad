"""Content digests: the same value has the same digest on every host."""

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
    """Return the SHA-256 (hex) of a value's canonical JSON.

    Args:
        value: Any combination of dataclasses, enums, dicts, sequences, strings, numbers and None.

    Raises:
        TypeError: The value holds something that JSON cannot represent.
        ValueError: The value holds a number that is not finite.

    Example:
        >>> digest({"b": 1, "a": (2, 3)}) == digest({"a": [2, 3], "b": 1})
        True
    """
    text = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def policy_id(source: str, values: Mapping[str, Any]) -> str:
    """Return the key of a policy's results in the policy repository: 16 hex digits from its source and values."""
    return digest([source, dict(values)])[:16]
