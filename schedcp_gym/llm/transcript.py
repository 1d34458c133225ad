"""Everything that was asked and answered, one JSON line an attempt; and answers out of it, by digest of the request."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schedcp_gym.files import append_line, read_lines
from schedcp_gym.llm.chat import RawAnswer, Usage
from schedcp_gym.llm.errors import CallOutcome
from schedcp_gym.llm.ledger import CallEntry, entry_of, plain_of


@dataclass(frozen=True)
class Recorded:
    """What came of one question.

    Attributes:
        entries: Its attempts.
        answer: None if it ended in an error.
        outcome: Of the last attempt, or the limit of the budget that stopped it.
        error: The error's text.
        stopped: The budget was spent.
    """

    entries: tuple[CallEntry, ...]
    answer: RawAnswer | None
    outcome: str
    error: str
    stopped: bool = False


class Transcript:
    """The file ``transcript.jsonl``, written and read. Not safe for several threads: who owns it holds a lock."""

    def __init__(self, path: Path, *, strict: bool) -> None:
        """Reads what is there.

        Args:
            path: The file.
            strict: Errors are played again, too, and nothing is written. Otherwise a question that ended in an error is
                asked anew: whatever was wrong may be mended.
        """
        self.path = path
        self.strict = strict
        self._known: dict[str, deque[Recorded]] = {}
        self._attempts: dict[str, list[CallEntry]] = {}
        self._entries: list[CallEntry] = []
        self._saved: set[str] = set()
        for line in read_lines(path, repair=not strict):
            self._learn(line)

    @property
    def entries(self) -> list[CallEntry]:
        """All attempts in the file as it was opened."""
        return self._entries

    def take(self, request_sha256: str) -> Recorded | None:
        """The next recorded answer to a request; the attempts of errors that are passed over come with it."""
        waiting = self._known.get(request_sha256, deque())
        passed: list[CallEntry] = []
        while waiting:
            recorded = waiting.popleft()
            passed += recorded.entries
            if self.strict or recorded.answer is not None:
                return Recorded(tuple(passed), recorded.answer, recorded.outcome, recorded.error, recorded.stopped)
        # The process before this one may have been killed between two attempts.
        passed += self._attempts.pop(request_sha256, [])
        return Recorded(tuple(passed), None, "", "") if passed else None

    def add(
        self, entry: CallEntry, request: dict[str, Any], answer: RawAnswer | None, error: str, *, final: bool
    ) -> None:
        """Saves an attempt; ``final``: it was the question's last."""
        told = None if answer is None else {"message": answer.message, "finish_reason": answer.finish_reason}
        line = {
            "kind": "attempt",
            "request_sha256": entry.request_sha256,
            "role": entry.role,
            "request": self._once(entry.request_sha256, request),
            "response": told and {**told, "model": answer.model if answer else ""},
            "error": error,
            "final": final,
            "entry": plain_of(entry),
        }
        append_line(self.path, line)

    def add_stop(self, role: str, request_sha256: str, request: dict[str, Any], limit: str, error: str) -> None:
        """Saves that the budget has stopped a question."""
        line = {"kind": "stop", "request_sha256": request_sha256, "role": role, "limit": limit, "error": error}
        append_line(self.path, line | {"request": self._once(request_sha256, request)})

    def _once(self, request_sha256: str, request: dict[str, Any]) -> dict[str, Any] | None:
        # A conversation is long: it is saved where it is asked first.
        if request_sha256 in self._saved:
            return None
        self._saved.add(request_sha256)
        return request

    def _learn(self, line: dict[str, Any]) -> None:
        sha256 = line["request_sha256"]
        self._saved.add(sha256)
        attempts = self._attempts.setdefault(sha256, [])
        if line["kind"] == "stop":
            self._close(sha256, None, line["limit"], line["error"], stopped=True)
            return
        entry = entry_of(line["entry"])
        attempts.append(entry)
        self._entries.append(entry)
        told = line["response"]
        if told is not None:
            usage = Usage(entry.prompt_tokens, entry.completion_tokens, entry.cached_tokens, entry.usd)
            answer = RawAnswer(told["message"], told["finish_reason"], told["model"], usage)
            self._close(sha256, answer, entry.outcome, "")
        elif line["final"]:
            self._close(sha256, None, entry.outcome, line["error"])

    def _close(
        self, sha256: str, answer: RawAnswer | None, outcome: str | CallOutcome, error: str, *, stopped: bool = False
    ) -> None:
        entries = tuple(self._attempts.pop(sha256, ()))
        recorded = Recorded(entries, answer, str(outcome), error, stopped)
        self._known.setdefault(sha256, deque()).append(recorded)


def attempts_of(lines: Iterable[Mapping[str, Any]]) -> list[CallEntry]:
    """Return all attempts in a transcript's lines."""
    return [entry_of(line["entry"]) for line in lines if line["kind"] != "stop"]
