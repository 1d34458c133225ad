"""What a watcher has seen and done: told as it happens, and kept, so that it goes on after whatever ended it."""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

from schedcp_gym.control.trigger.runs import Order
from schedcp_gym.files import append_line, read_lines
from schedcp_gym.spec import SchedcpError

FILE = "watch.jsonl"
#: Kinds of entries after which an order is still to be carried out, and after which it isn't any more.
_OPEN = ("queued", "started", "interrupted")
_CLOSED = ("finished", "failed")


class Journal:
    """The file ``watch.jsonl`` of a watcher's folder."""

    def __init__(self, folder: Path, tell: Callable[[dict[str, Any]], None], *, kept: bool = True) -> None:
        """Reads what is there.

        Args:
            folder: The watcher's; made with the first entry.
            tell: Is given each new entry.
            kept: Whether entries are written.

        Raises:
            SchedcpError: A line is damaged.
        """
        self.folder = folder
        self._tell = tell
        self._kept = kept
        self._last: dict[str, dict[str, Any]] = {}
        for entry in read_lines(folder / FILE, mend=kept):
            self._note(entry)

    def add(self, kind: str, **fields: Any) -> None:
        """Writes an entry, and tells it."""
        at = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        entry = {"kind": kind, "at": at, **fields}
        if self._kept:
            self.folder.mkdir(parents=True, exist_ok=True)
            append_line(self.folder / FILE, entry)
        self._note(entry)
        self._tell(entry)

    def order(self, kind: str, order: Order, **fields: Any) -> None:
        """Writes an entry about an order."""
        what = {"key": order.key, "workload": order.workload, "agent": order.agent, "overrides": list(order.overrides)}
        self.add(kind, **what, run=str(order.folder), **fields)

    def is_known(self, key: str) -> bool:
        """Whether there has been an order for a key that was not dropped."""
        return key in self._last

    def is_begun(self, key: str) -> bool:
        """Whether the last that is known of a key's order is its start."""
        return self._last.get(key, {}).get("kind") == "started"

    def unfinished(self) -> list[tuple[Order, dict[str, Any]]]:
        """Orders that were not carried out to their end, each with its last entry, in the order of their coming."""
        return [(_order(entry), entry) for entry in self._last.values() if entry["kind"] in _OPEN]

    def _note(self, entry: dict[str, Any]) -> None:
        key = entry.get("key")
        if not isinstance(key, str):
            return
        if entry["kind"] in (*_OPEN, *_CLOSED):
            self._last[key] = {**self._last.get(key, {}), **entry}
        elif entry["kind"] == "dropped":
            self._last.pop(key, None)


def _order(entry: dict[str, Any]) -> Order:
    try:
        return Order(
            entry["key"], entry["workload"], entry["agent"], tuple(map(str, entry["overrides"])), Path(entry["run"])
        )
    except (KeyError, TypeError):
        raise SchedcpError(f"{FILE}: an entry of {entry['key']} is damaged; watch with another --folder") from None
