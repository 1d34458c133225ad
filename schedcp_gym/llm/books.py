"""Ledger, transcript and budget of a run, shared by its clients behind one lock."""

import dataclasses
import math
import threading
from pathlib import Path
from typing import Any

from schedcp_gym.llm.budget import Allowance, Request, allow, allow_wait
from schedcp_gym.llm.chat import RawAnswer
from schedcp_gym.llm.config import LlmBudget, Prices
from schedcp_gym.llm.errors import CallOutcome, LlmBudgetSpent
from schedcp_gym.llm.ledger import CallEntry, CallLedger, Totals, totals, totals_by_role
from schedcp_gym.llm.transcript import Recorded, Transcript
from schedcp_gym.spec import BadInput

LEDGER = "ledger.jsonl"
TRANSCRIPT = "transcript.jsonl"
#: Assumed ratio of a model's own count of tokens to ours, until the model has reported a count.
FIRST_MARGIN = 1.3
#: Margin above the largest ratio that was seen.
MARGIN = 1.05
#: Shorter prompts do not count for the ratio: a provider's fixed tokens dominate them.
_TELLING_TOKENS = 200


class Books:
    """The files of one run, and the rest of its budget. Safe for several threads."""

    def __init__(self, folder: Path, budget: LlmBudget) -> None:
        """Open or create the files in a run's folder, and settle the calls that a killed process left open.

        Raises:
            SchedcpError: A file is damaged.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.budget = budget
        self.ledger = CallLedger(folder / LEDGER)
        self.transcript = Transcript(folder / TRANSCRIPT, strict=False)
        self.ledger.settle(self.transcript.entries)
        self._changed = threading.Condition()
        self._replayed: dict[str, Transcript] = {}
        self._ratios: dict[str, float] = {}
        for entry in self.ledger.entries:
            self._learn_ratio(entry)

    def reached(self) -> dict[str, Totals]:
        """Return the usage up to this point, by role. Replayed calls count, so a resumed run reports the same."""
        with self._changed:
            return totals_by_role(self.ledger.reached)

    def spent(self) -> Totals:
        """Return everything that was spent in this folder; calls in progress count with their maximum."""
        with self._changed:
            return totals(self.ledger.entries)

    def so_far(self) -> Totals:
        """Return the usage up to this point. Replayed calls count, so a resumed run reports the same values."""
        with self._changed:
            return totals(self.ledger.reached)

    def left(self) -> dict[str, float | None]:
        """Return the rest of each limit, as of :meth:`so_far`; None where there is no limit."""
        so_far = self.so_far()
        used = {"calls": so_far.calls, "tokens": so_far.tokens, "usd": so_far.usd, "host_s": so_far.host_s}
        limits = {name: getattr(self.budget, name) for name in used}
        return {name: None if limit is None else max(0.0, limit - used[name]) for name, limit in limits.items()}

    def open_replay(self, path: str) -> None:
        """Read a transcript to replay. Clients of the same transcript share their position in it.

        Raises:
            BadInput: There is none.
        """
        with self._changed:
            if path not in self._replayed:
                if not Path(path).is_file():
                    raise BadInput(f"there is no transcript {path}; set llm.replay to a transcript.jsonl, or to null")
                self._replayed[path] = Transcript(Path(path), strict=True)

    def take(self, request_sha256: str, replay: str | None) -> Recorded | None:
        """Return the next recorded answer to a request, from the run's transcript or another; it counts as usage."""
        with self._changed:
            transcript = self.transcript if replay is None else self._replayed[replay]
            recorded = transcript.take(request_sha256)
            if recorded:
                self.ledger.recall(recorded.entries)
            return recorded

    def begin(
        self, call: CallEntry, max_tokens: int, timeout_s: float, prices: Prices | None
    ) -> tuple[CallEntry, Allowance]:
        """Note the begin of a call, if the budget covers it. Near the budget's end, wait for calls in progress.

        Raises:
            LlmBudgetSpent: The budget does not cover it.
        """
        with self._changed:
            margin = self._ratios.get(call.model, FIRST_MARGIN / MARGIN) * MARGIN
            prompt_tokens = math.ceil(call.counted_tokens * margin)
            request = Request(prompt_tokens, max_tokens, timeout_s, prices)
            while True:
                allowance = self._allowance(request, call.waited_s)
                if allowance is not None:
                    break
                # Calls in progress reserve more than they will use.
                self._changed.wait()
            ceiling = dataclasses.replace(
                call,
                outcome=CallOutcome.INTERRUPTED,
                prompt_tokens=prompt_tokens,
                completion_tokens=allowance.max_tokens,
                usd=allowance.usd,
                source="ceiling",
                host_s=allowance.timeout_s,
            )
            return self.ledger.begin(ceiling), allowance

    def end(
        self, entry: CallEntry, request: dict[str, Any], answer: RawAnswer | None, error: str, *, final: bool
    ) -> None:
        """Save the end of an attempt, with its answer or error."""
        with self._changed:
            # In this order, so that an answer is never paid twice, even if this process is killed.
            self.transcript.add(entry, request, answer, error, final=final)
            self.ledger.end(entry)
            self._learn_ratio(entry)
            self._changed.notify_all()

    def stop(self, role: str, request_sha256: str, request: dict[str, Any], stop: LlmBudgetSpent) -> None:
        """Save that the budget did not cover a question."""
        with self._changed:
            self.transcript.add_stop(role, request_sha256, request, stop.limit, str(stop))

    def check_wait(self, wait_s: float) -> None:
        """Check that the budget has time for a wait.

        Raises:
            LlmBudgetSpent: It has not.
        """
        with self._changed:
            allow_wait(self.budget, totals(self.ledger.entries), wait_s)

    def _allowance(self, request: Request, waited_s: float) -> Allowance | None:
        """Return what the budget covers; None if that may be more after a call in progress has ended."""
        spent = totals(self.ledger.entries)
        spent.host_s += waited_s  # the ledger gets it together with the attempt
        try:
            allowance = allow(self.budget, spent, request)
        except LlmBudgetSpent:
            if not self.ledger.under_way:
                raise
            return None
        return allowance if allowance.is_full or not self.ledger.under_way else None

    def _learn_ratio(self, entry: CallEntry) -> None:
        if entry.source == "usage" and entry.counted_tokens >= _TELLING_TOKENS:
            ratio = entry.prompt_tokens / entry.counted_tokens
            self._ratios[entry.model] = max(self._ratios.get(entry.model, 0.0), ratio)
