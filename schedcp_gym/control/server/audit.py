"""The audit log: a line of JSON for every request, with shortened secrets."""

import datetime
import hashlib
import json
import logging
import os
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schedcp_gym.llm.scrub import scrub
from schedcp_gym.spec import BadInput

log = logging.getLogger(__name__)

#: Limits of a logged value: characters of a text (of a longer one, size and digest are logged), items, depth.
TEXT_CHARS, ITEMS, DEPTH = 200, 50, 6
#: Characters of a token that are logged: enough to tell two tokens apart, too few to use one.
TOKEN_CHARS = 12
_TOKEN = re.compile(r"scp1\.[\w.-]{8,}")
_SECRET = re.compile(r"(?i)token|secret|password|authorization|api_?key")
_NOT_SECRET = frozenset({"progressToken"})


class AuditLog:
    """A log file. Safe to share between threads.

    Args:
        path: The file; it is created if missing, readable by its owner only. None: nothing is logged.

    Raises:
        BadInput: The file can't be written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        if path is None:
            return
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise BadInput(f"the audit log {path} can't be written: {error.strerror}") from None

    def write(
        self,
        *,
        session: str,
        method: str,
        tool: str | None,
        arguments: Any,
        outcome: str,
        message: str = "",
        host_s: float,
        guest_s: float | None = None,
    ) -> None:
        """Write a line in one piece.

        Args:
            session: The caller.
            method: The protocol's method; ``call`` for a call in this process.
            tool: The tool, if it is a tool call.
            arguments: The arguments as received; they are shortened here.
            outcome: ``ok``, ``error`` (from a tool), ``refused`` (by the protocol), ``cancelled`` or ``crashed``.
            message: The error.
            host_s: Host seconds of the request.
            guest_s: Guest seconds of the runs behind the result.
        """
        if self._descriptor is None:
            return
        entry = {
            "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
            "session": session,
            "method": method,
            "tool": tool,
            "arguments": shortened(arguments),
            "outcome": outcome,
            "message": shortened(message),
            "host_s": round(host_s, 3),
            "guest_s": guest_s,
        }
        line = (json.dumps(entry) + "\n").encode()
        try:
            with self._lock:
                os.write(self._descriptor, line)
        except OSError as error:  # the request was carried out: the caller must get its result
            log.error("the audit log can't be written: %s", error.strerror)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None


def shortened(value: Any, depth: int = 0) -> Any:
    """Return a value as it may be logged: tokens cut, secrets masked, long texts as size and digest."""
    return scrub(_short(value, depth))


def _short(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        text = _TOKEN.sub(lambda match: f"{match[0][:TOKEN_CHARS]}…", value)
        if len(text) <= TEXT_CHARS:
            return text
        content = value.encode(errors="replace")
        return {"characters": len(value), "sha256": hashlib.sha256(content).hexdigest(), "begins": text[:60]}
    if isinstance(value, (bool, int, float)) or value is None:
        return value
    if depth >= DEPTH:
        return "…"
    if isinstance(value, Mapping):
        pairs = list(value.items())[:ITEMS]
        return {str(key)[:80]: _of_key(str(key), item, depth) for key, item in pairs}
    if isinstance(value, (list, tuple)):
        return [_short(item, depth + 1) for item in value[:ITEMS]]
    return str(type(value).__name__)


def _of_key(key: str, item: Any, depth: int) -> Any:
    if isinstance(item, str) and _SECRET.search(key) and key not in _NOT_SECRET:
        return f"{item[: min(TOKEN_CHARS, len(item) // 2)]}…"
    return _short(item, depth + 1)
