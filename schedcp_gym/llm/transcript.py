"""All questions and answers, one JSON line for each attempt; and recorded answers by digest of the request."""

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
    """The result of one question.

    Attributes:
        entries: Its attempts.
        answer: None if it ended in an error.
        outcome: Outcome of the last attempt, or the limit of the budget that stopped the question.
        error: The error's text.
        stopped: Whether the budget stopped it.
    """

    entries: tuple[CallEntry, ...]
    answer: RawAnswer | None
    outcome: str
    error: str
    stopped: bool = False


class Transcript:
    """The file ``transcript.jsonl``. Not safe for several threads: its owner holds a lock."""

    def __init__(self, path: Path, *, strict: bool) -> None:
        """Read the file.

        Args:
            path: The file.
            strict: Replay errors too, and write nothing. Otherwise a question that ended in an error is asked again, as
                its cause may be gone.
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
        """All attempts in the file when it was opened."""
        return self._entries

    def take(self, request_sha256: str) -> Recorded | None:
        """Return the next recorded answer to a request, with the attempts of skipped errors before it."""
        waiting = self._known.get(request_sha256, deque())
        passed: list[CallEntry] = []
        while waiting:
            recorded = waiting.popleft()
            passed += recorded.entries
            if self.strict or recorded.answer is not None:
                return Recorded(tuple(passed), recorded.answer, recorded.outcome, recorded.error, recorded.stopped)
        # The earlier process may have been killed between two attempts.
        passed += self._attempts.pop(request_sha256, [])
        return Recorded(tuple(passed), None, "", "") if passed else None

    def add(
        self, entry: CallEntry, request: dict[str, Any], answer: RawAnswer | None, error: str, *, final: bool
    ) -> None:
        """Save an attempt; ``final``: the question's last one."""
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
        """Save that the budget stopped a question."""
        line = {"kind": "stop", "request_sha256": request_sha256, "role": role, "limit": limit, "error": error}
        append_line(self.path, line | {"request": self._once(request_sha256, request)})

    def _once(self, request_sha256: str, request: dict[str, Any]) -> dict[str, Any] | None:
        # Conversations are long, so each request is saved only once.
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
