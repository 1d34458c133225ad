"""A store for few and small values: a file of JSON for each, by key."""

import dataclasses
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

log = logging.getLogger(__name__)

Kept = TypeVar("Kept")


class JsonStore(Generic[Kept]):
    """Values of one kind by key, one file each. The kind is a dataclass with a field ``cached``."""

    def __init__(self, kind: type[Kept], folder: Callable[[], Path], version: int) -> None:
        """Prepare a store; nothing is read yet.

        Args:
            kind: The values' class.
            folder: Returns where they lie; called each time.
            version: Raised when the meaning of a stored value changes.
        """
        self.folder = folder
        self.version = version
        self._word = kind.__name__.lower()
        self._adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def read(self, key: str) -> Kept | None:
        """Return the stored value, marked as cached; None when there is none or it can't be read."""
        path = self._path(key)
        try:
            stored = json.loads(path.read_text())
            if stored["format"] != self.version:
                raise ValueError("another version's")
            found: Kept = dataclasses.replace(self._adapter.validate_python(stored[self._word]), cached=True)
            return found
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError, ValidationError) as error:
            reason = str(error).split("\n")[0]
            log.warning("the stored %s %s can't be used (%s); it is made again", self._word, path, reason)
            return None

    def write(self, key: str, value: Kept) -> None:
        """Store a value; readers see it whole or not at all."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        plain = {"format": self.version, self._word: self._adapter.dump_python(value, mode="json")}
        part.write_text(json.dumps(plain))
        part.rename(path)

    def _path(self, key: str) -> Path:
        return self.folder() / key[:2] / f"{key}.json"
