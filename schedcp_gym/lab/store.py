"""Measurements kept by content: the same trial on the same image is never run twice."""

import dataclasses
import json
import logging
import os
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from schedcp_gym.paths import cache_root
from schedcp_gym.spec import Measurement

log = logging.getLogger(__name__)

#: Raised when the meaning of a stored measurement changes.
FORMAT = 1
_ADAPTER = TypeAdapter(Measurement)


def _path(key: str) -> Path:
    return cache_root() / "trials" / key[:2] / f"{key}.json"


def read(key: str) -> Measurement | None:
    """The stored measurement, marked as cached; None when there is none or it can't be read."""
    path = _path(key)
    try:
        stored = json.loads(path.read_text())
        if stored["format"] != FORMAT:
            raise ValueError("another version's")
        return dataclasses.replace(_ADAPTER.validate_python(stored["measurement"]), cached=True)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        log.warning("the stored measurement %s can't be used (%s); measuring again", path, str(error).split("\n")[0])
        return None


def write(key: str, measurement: Measurement) -> None:
    """Stores a measurement; readers see it whole or not at all."""
    path = _path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    part.write_text(json.dumps({"format": FORMAT, "measurement": _ADAPTER.dump_python(measurement, mode="json")}))
    part.rename(path)
