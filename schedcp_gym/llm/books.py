"""What the clients of a run share: ledger, transcript and budget, behind one lock."""

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
#: Until a model's own counts are known, its prompts are taken to have this many tokens for each that is counted here.
FIRST_MARGIN = 1.3
#: Room above the most that was seen.
MARGIN = 1.05
#: Prompts shorter than this say more about a provider's frame than about its vocabulary.
_TELLING_TOKENS = 200


class Books:
    """The files of one run, and what it may still spend. Safe for several threads."""

    def __init__(self, folder: Path, budget: LlmBudget) -> None:
        """Opens the files in a run's folder, or begins them; calls that a killed process left open are settled.

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
        """What this process has come past, by role: for an agent that plans with what is left."""
        with self._changed:
            return totals_by_role(self.ledger.reached)

    def spent(self) -> Totals:
        """All that was ever spent in this folder; calls under way at the most they may use."""
        with self._changed:
            return totals(self.ledger.entries)

    def so_far(self) -> Totals:
        """What this process has come past: the same at the same place of a run, however often that was interrupted."""
        with self._changed:
            return totals(self.ledger.reached)

    def left(self) -> dict[str, float | None]:
        """What is left of each limit, as this process has come past; None where there is none."""
        so_far = self.so_far()
        used = {"calls": so_far.calls, "tokens": so_far.tokens, "usd": so_far.usd, "host_s": so_far.host_s}
        limits = {name: getattr(self.budget, name) for name in used}
        return {name: None if limit is None else max(0.0, limit - used[name]) for name, limit in limits.items()}

    def open_replay(self, path: str) -> None:
        """Reads a transcript that is to be replayed; clients of the same one go on where the others are.

        Raises:
            BadInput: There is none.
        """
        with self._changed:
            if path not in self._replayed:
                if not Path(path).is_file():
                    raise BadInput(f"there is no transcript {path}; set llm.replay to a transcript.jsonl, or to null")
                self._replayed[path] = Transcript(Path(path), strict=True)

    def take(self, request_sha256: str, replay: str | None) -> Recorded | None:
        """The next recorded answer to a request, from the run's own transcript or another; it counts as reached."""
        with self._changed:
            transcript = self.transcript if replay is None else self._replayed[replay]
            recorded = transcript.take(request_sha256)
            if recorded:
                self.ledger.recall(recorded.entries)
            return recorded

    def begin(
        self, call: CallEntry, max_tokens: int, timeout_s: float, prices: Prices | None
    ) -> tuple[CallEntry, Allowance]:
        """Notes that a call is made, if the budget has room for it. Near its end, calls under way are waited for.

        Raises:
            LlmBudgetSpent: It has not.
        """
        with self._changed:
            margin = self._ratios.get(call.model, FIRST_MARGIN / MARGIN) * MARGIN
            prompt_tokens = math.ceil(call.counted_tokens * margin)
            request = Request(prompt_tokens, max_tokens, timeout_s, prices)
            while True:
                allowance = self._allowance(request, call.waited_s)
                if allowance is not None:
                    break
                # Those under way hold more than they will use.
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
        """Saves how an attempt ended, and what came of it."""
        with self._changed:
            # In this order: what is answered is never paid twice, whenever this process dies.
            self.transcript.add(entry, request, answer, error, final=final)
            self.ledger.end(entry)
            self._learn_ratio(entry)
            self._changed.notify_all()

    def stop(self, role: str, request_sha256: str, request: dict[str, Any], stop: LlmBudgetSpent) -> None:
        """Saves that the budget has stopped a question."""
        with self._changed:
            self.transcript.add_stop(role, request_sha256, request, stop.limit, str(stop))

    def check_wait(self, wait_s: float) -> None:
        """Checks that the budget has time for a wait.

        Raises:
            LlmBudgetSpent: It has not.
        """
        with self._changed:
            allow_wait(self.budget, totals(self.ledger.entries), wait_s)

    def _allowance(self, request: Request, waited_s: float) -> Allowance | None:
        """What the budget has room for; None: more, perhaps, when a call under way has ended."""
        spent = totals(self.ledger.entries)
        spent.host_s += waited_s  # enters the ledger with the attempt that it was for
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
