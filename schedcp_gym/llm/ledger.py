"""What the calls of a run took: one JSON line when a call begins and one when it ends, each on disk at once."""

import dataclasses
import datetime
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass as checked

from schedcp_gym.files import append_line, read_lines
from schedcp_gym.llm.errors import MAYBE_CHARGED, CallOutcome


@checked(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class CallEntry:
    """One attempt, ended or under way.

    Attributes:
        call: Its number in the run.
        role: Who asked: ``planning``, ``execution`` …
        model: As configured.
        request_sha256: Digest of what was asked.
        attempt: 1, and more after failures.
        outcome: How it ended; ``interrupted`` for one under way.
        counted_tokens: Of the prompt, counted before it was sent.
        prompt_tokens: As the server says; else an estimate (``source``).
        completion_tokens: Likewise.
        cached_tokens: Of the prompt, out of the provider's cache; None: not said.
        usd: Dollars; None: the price is not known.
        source: Where tokens and dollars come from: ``usage`` (the server said so), ``estimate`` (counted here),
            ``none`` (an error that costs nothing), or ``ceiling``: the most it can have been, because the provider may
            have charged for an answer that never came.
        waited_s: Host seconds of waiting before this attempt.
        host_s: Host seconds of the attempt itself.
    """

    call: int
    role: str
    model: str
    request_sha256: str
    attempt: int
    outcome: CallOutcome
    counted_tokens: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int | None = None
    usd: float | None = None
    source: str = "usage"
    waited_s: float = 0.0
    host_s: float = 0.0


_ADAPTER = TypeAdapter(CallEntry)


@dataclass
class Totals:
    """Sums over calls. ``unpriced`` counts those whose dollars are not known; they are not in ``usd``."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    unpriced: int = 0
    host_s: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)

    @property
    def tokens(self) -> int:
        """Of prompts and answers."""
        return self.prompt_tokens + self.completion_tokens

    def add(self, entry: CallEntry) -> None:
        """Adds a call."""
        self.calls += 1
        self.prompt_tokens += entry.prompt_tokens
        self.completion_tokens += entry.completion_tokens
        self.usd += entry.usd or 0.0
        self.unpriced += entry.usd is None
        self.host_s += entry.host_s + entry.waited_s
        self.outcomes[entry.outcome.value] += 1

    def plain(self) -> dict[str, Any]:
        """As values that JSON has words for."""
        return dataclasses.asdict(self) | {"outcomes": dict(sorted(self.outcomes.items()))}


def totals(entries: Iterable[CallEntry]) -> Totals:
    """The sums over some calls."""
    sums = Totals()
    for entry in entries:
        sums.add(entry)
    return sums


def totals_by_role(entries: Iterable[CallEntry]) -> dict[str, Totals]:
    """The sums for each role, in order of name."""
    sums: dict[str, Totals] = {}
    for entry in entries:
        sums.setdefault(entry.role, Totals()).add(entry)
    return dict(sorted(sums.items()))


def read_ledger(path: Path) -> list[CallEntry]:
    """Return the calls in a ledger, as :func:`calls_of`."""
    return calls_of(read_lines(path))


def calls_of(lines: Iterable[Mapping[str, Any]]) -> list[CallEntry]:
    """Return the calls in a ledger's lines; one that never ended is ``interrupted``, at the most it can have used."""
    began, ended = _calls(lines)
    return list(({**began, **ended}).values())


class CallLedger:
    """The file ``ledger.jsonl``. Not safe for several threads at once: who owns it holds a lock.

    A run that goes on in its folder gets its old answers out of the transcript. ``entries`` is all that was ever
    spent, for the limits. ``reached`` is what this process has come past, in the order it did: the same at the same
    place of a run, however often that was interrupted, so it is what an agent may see.
    """

    def __init__(self, path: Path) -> None:
        """Opens the ledger, or begins one."""
        self.path = path
        self.reached: list[CallEntry] = []
        self._open, self._ended = _calls(read_lines(path, repair=True))
        self._next = max([*self._open, *self._ended], default=0) + 1

    @property
    def entries(self) -> list[CallEntry]:
        """All calls, those under way at the most they may use."""
        return [*self._ended.values(), *self._open.values()]

    @property
    def under_way(self) -> int:
        """Calls that have begun and not ended."""
        return len(self._open)

    def begin(self, ceiling: CallEntry) -> CallEntry:
        """Notes that a call is made now, and the most it can use. Returns it with its number."""
        entry = dataclasses.replace(ceiling, call=self._next)
        self._next += 1
        self._write("begin", entry)
        self._open[entry.call] = entry
        return entry

    def end(self, entry: CallEntry) -> None:
        """Notes how a call ended."""
        self._write("end", entry)
        self._open.pop(entry.call, None)
        self._ended[entry.call] = entry
        self.reached.append(entry)

    def settle(self, known: Iterable[CallEntry]) -> None:
        """Ends the calls of a process that was killed: as its transcript has them, else at the most they can have used.

        Args:
            known: The transcript's.
        """
        found = {entry.call: entry for entry in known}
        for call, ceiling in list(self._open.items()):
            entry = found.get(call, ceiling)
            self._write("end", entry)
            self._ended[call] = entry
            del self._open[call]

    def recall(self, entries: Iterable[CallEntry]) -> None:
        """Comes past calls whose answers are out of a transcript. What the ledger has already is not written again."""
        for entry in entries:
            if self._ended.get(entry.call) != entry:
                self._write("end", entry)
                self._ended[entry.call] = entry
                self._next = max(self._next, entry.call + 1)
            self.reached.append(entry)

    def _write(self, kind: str, entry: CallEntry) -> None:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        append_line(self.path, {"kind": kind, **_ADAPTER.dump_python(entry, mode="json"), "at": now})


def unanswered(begun: CallEntry, outcome: CallOutcome, host_s: float) -> CallEntry:
    """A call without an answer: nothing is charged for it, unless the provider may have."""
    if outcome in MAYBE_CHARGED:
        return dataclasses.replace(begun, outcome=outcome, host_s=host_s)
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "usd": 0.0, "source": "none"}
    return dataclasses.replace(begun, outcome=outcome, host_s=host_s, **nothing)  # type: ignore[arg-type]


def entry_of(plain: dict[str, Any]) -> CallEntry:
    """A call out of a file's line."""
    return _ADAPTER.validate_python(plain)


def plain_of(entry: CallEntry) -> dict[str, Any]:
    """A call as values that JSON has words for."""
    plain: dict[str, Any] = _ADAPTER.dump_python(entry, mode="json")
    return plain


def _calls(lines: Iterable[Mapping[str, Any]]) -> tuple[dict[int, CallEntry], dict[int, CallEntry]]:
    began: dict[int, CallEntry] = {}
    ended: dict[int, CallEntry] = {}
    for line in lines:
        entry = entry_of({key: value for key, value in line.items() if key not in ("kind", "at")})
        if line["kind"] == "begin":
            began[entry.call] = entry
        else:
            began.pop(entry.call, None)
            ended[entry.call] = entry
    return began, ended
