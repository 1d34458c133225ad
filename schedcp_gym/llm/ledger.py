"""The costs of a run's calls: one JSON line when a call begins and one when it ends, each on disk at once."""

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
    """One attempt, ended or in progress.

    Attributes:
        call: Its number in the run.
        role: Who asked: ``planning``, ``execution`` …
        model: The model's name in the configuration.
        request_sha256: Digest of the request.
        attempt: 1, or more after failures.
        outcome: Its outcome; ``interrupted`` while it is in progress.
        counted_tokens: Tokens of the prompt, counted before it was sent.
        prompt_tokens: Tokens of the prompt as the server reports them; else an estimate (``source``).
        completion_tokens: Tokens of the answer, likewise.
        cached_tokens: Tokens of the prompt from the provider's cache; None: not reported.
        usd: Dollars; None: the price is not known.
        source: The source of tokens and dollars: ``usage`` (the server), ``estimate`` (counted here), ``none`` (an
            error that costs nothing), or ``ceiling`` (the maximum, because the provider may have charged for an answer
            that did not arrive).
        waited_s: Host seconds of the wait before this attempt.
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
    """Sums over calls. ``unpriced`` counts calls without a known price; they are not in ``usd``."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    unpriced: int = 0
    host_s: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)

    @property
    def tokens(self) -> int:
        """Tokens of prompts and answers."""
        return self.prompt_tokens + self.completion_tokens

    def add(self, entry: CallEntry) -> None:
        """Add a call."""
        self.calls += 1
        self.prompt_tokens += entry.prompt_tokens
        self.completion_tokens += entry.completion_tokens
        self.usd += entry.usd or 0.0
        self.unpriced += entry.usd is None
        self.host_s += entry.host_s + entry.waited_s
        self.outcomes[entry.outcome.value] += 1

    def plain(self) -> dict[str, Any]:
        """Return the sums as plain values."""
        return dataclasses.asdict(self) | {"outcomes": dict(sorted(self.outcomes.items()))}


def totals(entries: Iterable[CallEntry]) -> Totals:
    """Return the sums over some calls."""
    sums = Totals()
    for entry in entries:
        sums.add(entry)
    return sums


def totals_by_role(entries: Iterable[CallEntry]) -> dict[str, Totals]:
    """Return the sums for each role, in order of name."""
    sums: dict[str, Totals] = {}
    for entry in entries:
        sums.setdefault(entry.role, Totals()).add(entry)
    return dict(sorted(sums.items()))


def read_ledger(path: Path) -> list[CallEntry]:
    """Return the calls in a ledger, as :func:`calls_of`."""
    return calls_of(read_lines(path))


def calls_of(lines: Iterable[Mapping[str, Any]]) -> list[CallEntry]:
    """Return the calls in a ledger's lines; one that never ended is ``interrupted``, with its maximum."""
    began, ended = _calls(lines)
    return list(({**began, **ended}).values())


class CallLedger:
    """The file ``ledger.jsonl``. Not safe for several threads: its owner holds a lock.

    On resume, a run takes its old answers from the transcript. ``entries`` has everything that was ever spent, for the
    limits. ``reached`` has the calls of this process so far, including replayed ones, in order: at the same place of a
    run it is always the same, so agents may use it.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the ledger."""
        self.path = path
        self.reached: list[CallEntry] = []
        self._open, self._ended = _calls(read_lines(path, repair=True))
        self._next = max([*self._open, *self._ended], default=0) + 1

    @property
    def entries(self) -> list[CallEntry]:
        """All calls; those in progress with their maximum."""
        return [*self._ended.values(), *self._open.values()]

    @property
    def under_way(self) -> int:
        """Number of calls in progress."""
        return len(self._open)

    def begin(self, ceiling: CallEntry) -> CallEntry:
        """Note the begin of a call and its maximum; return it with its number."""
        entry = dataclasses.replace(ceiling, call=self._next)
        self._next += 1
        self._write("begin", entry)
        self._open[entry.call] = entry
        return entry

    def end(self, entry: CallEntry) -> None:
        """Note the end of a call."""
        self._write("end", entry)
        self._open.pop(entry.call, None)
        self._ended[entry.call] = entry
        self.reached.append(entry)

    def settle(self, known: Iterable[CallEntry]) -> None:
        """End the calls of a killed process: as in its transcript, else with their maximum.

        Args:
            known: The transcript's attempts.
        """
        found = {entry.call: entry for entry in known}
        for call, ceiling in list(self._open.items()):
            entry = found.get(call, ceiling)
            self._write("end", entry)
            self._ended[call] = entry
            del self._open[call]

    def recall(self, entries: Iterable[CallEntry]) -> None:
        """Count calls whose answers come from a transcript. Lines that the ledger has are not written again."""
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
    """Return a call without an answer. It costs nothing, unless the provider may have charged for it."""
    if outcome in MAYBE_CHARGED:
        return dataclasses.replace(begun, outcome=outcome, host_s=host_s)
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "usd": 0.0, "source": "none"}
    return dataclasses.replace(begun, outcome=outcome, host_s=host_s, **nothing)  # type: ignore[arg-type]


def entry_of(plain: dict[str, Any]) -> CallEntry:
    """Return the call in a line of a file."""
    return _ADAPTER.validate_python(plain)


def plain_of(entry: CallEntry) -> dict[str, Any]:
    """Return a call as plain values."""
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
