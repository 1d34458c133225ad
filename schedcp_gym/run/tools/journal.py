"""The audit log of a run's tools: every call and its result. A resumed run takes its first results from here."""

import datetime
import json
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schedcp_gym.files import append_line, read_lines
from schedcp_gym.llm import ToolResult
from schedcp_gym.run.folder import TOOLS
from schedcp_gym.run.lines import AuditedCall, typed_calls
from schedcp_gym.spec import SchedcpError


class Journal:
    """The file ``tools.jsonl`` of a run's folder.

    On resume, a run replays from the start and makes the same calls in the same order. Recorded calls get their results
    from here; only new calls are made.
    """

    def __init__(self, folder: Path) -> None:
        """Open or create the file. A last line that was cut off (power loss) is removed.

        Raises:
            SchedcpError: A line is damaged.
        """
        self.path = folder / TOOLS
        self._replay = deque(typed_calls(read_lines(self.path, repair=True), str(self.path)))

    def recall(self, name: str, arguments: Mapping[str, Any]) -> AuditedCall | None:
        """Return the recorded entry of the next call; None if the call is new.

        Raises:
            SchedcpError: The journal has another call at this place.
        """
        if not self._replay:
            return None
        entry = self._replay.popleft()
        if (entry["tool"], entry["arguments"]) != (name, _plain(arguments)):
            raise SchedcpError(
                f"{self.path}: this run calls {_gist(name, arguments)} where the journal has "
                f"{_gist(entry['tool'], entry['arguments'])}: the agent, or something that it uses, has changed; "
                "start a new run with another run.dir"
            )
        return entry

    def add(self, name: str, arguments: Mapping[str, Any], result: ToolResult, **more: Any) -> None:
        """Append a call; it is on disk when this returns."""
        entry = {
            "kind": "call",
            "tool": name,
            "arguments": _plain(arguments),
            "is_error": result.is_error,
            "text": result.text,
            "data": _plain(result.data),
            **more,
            "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
        }
        append_line(self.path, entry)


def result_of(entry: Mapping[str, Any]) -> ToolResult:
    """Return the result of a recorded call."""
    return ToolResult(entry["data"], entry["text"], entry["is_error"])


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    # A model can send NaN, which JSON cannot represent.
    plain: dict[str, Any] = json.loads(json.dumps(dict(values)), parse_constant=lambda _word: None)
    return plain


def _gist(name: str, arguments: Mapping[str, Any]) -> str:
    text = json.dumps(dict(arguments))
    return f"{name} {text if len(text) <= 200 else f'{text[:199]}…'}"
