"""Analyses kept by content: the same question about the same trial is answered at no cost the second time."""

import dataclasses
import functools
import json
import logging
import os
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from schedcp_gym.control.analysis.report import Analysis
from schedcp_gym.machine.image.inputs import folder_digest
from schedcp_gym.paths import PACKAGE, POLICIES, cache_root
from schedcp_gym.spec.digest import digest

log = logging.getLogger(__name__)

#: Raised when the meaning of a stored analysis changes.
FORMAT = 1
_ADAPTER = TypeAdapter(Analysis)


@functools.cache
def engine_version() -> str:
    """Digest of all that makes an analysis of a run: this package, and the tracer."""
    return digest([FORMAT, folder_digest(PACKAGE / "control" / "analysis"), folder_digest(POLICIES / "tracer")])


def _path(key: str) -> Path:
    return cache_root() / "analyses" / key[:2] / f"{key}.json"


def read(key: str) -> Analysis | None:
    """The stored analysis, marked as cached; None when there is none or it can't be read."""
    path = _path(key)
    try:
        stored = json.loads(path.read_text())
        if stored["format"] != FORMAT:
            raise ValueError("another version's")
        return dataclasses.replace(_ADAPTER.validate_python(stored["analysis"]), cached=True)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError, ValidationError) as error:
        log.warning("the stored analysis %s can't be used (%s); analysing again", path, str(error).split("\n")[0])
        return None


def write(key: str, analysis: Analysis) -> None:
    """Stores an analysis; readers see it whole or not at all."""
    path = _path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    part.write_text(json.dumps({"format": FORMAT, "analysis": _ADAPTER.dump_python(analysis, mode="json")}))
    part.rename(path)
