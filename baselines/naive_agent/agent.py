"""The naive agent: "write a scheduler in eBPF for this workload"."""

from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from schedcp_gym.baselines.agent import Agent, Assignment
from schedcp_gym.baselines.briefing import brief, evidence
from schedcp_gym.llm import CallFailed, CallOutcome, Message, Reply, prompt, system, tokens, user
from schedcp_gym.spec import BadInput

PROMPTS = Path(__file__).parent / "prompts"
#: The agent's role in the ledger.
ROLE = "naive"
#: After so many attempts in a row without a file, the search ends.
BARREN = 3


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class SchedulerFile:
    """The file that the model writes."""

    source: str = Field(min_length=1, description="The whole of scheduler.bpf.c, in BPF C.")


class NaiveAgent(Agent):
    """One model, one prompt, error lines: no repository, no analysis, no verifier, no figures.

    The prompt has the workload's description, metrics and objective, EEVDF's figures, and the name of
    <scx/common.bpf.h>; not the names of processes, which is analysis, nor our own headers. A file is tried by a
    measurement (an evaluation of the budget). If it does not compile, is not loaded, or is ejected, the model gets the
    error lines, as a person who tries it by hand would, and writes the file again.

    When a file works, or after some rounds, the attempt ends, and the next begins in an empty folder again. The model
    is never told how good a working file is.
    """

    action = "Synth"
    uses_llm = True

    def __init__(self, *, attempts: int | None = None, rounds: int = 12, error_tokens: int = 2000) -> None:
        """Store the settings.

        Args:
            attempts: Number of conversations; None: until the budget is spent.
            rounds: Limit of answers in each.
            error_tokens: Limit of the tokens of error lines in a prompt.

        Raises:
            BadInput: A number is too small.
        """
        if rounds < 1 or (attempts is not None and attempts < 1) or error_tokens < 64:
            raise BadInput("naive_agent needs attempts and rounds of 1 or more, and error_tokens of 64 or more")
        self.attempts = attempts
        self.rounds = rounds
        self.error_tokens = error_tokens

    def run(self, given: Assignment) -> None:
        """Make attempts until the budget or their number is used up, or the model writes no file."""
        given.env.reset(seed=given.seed)
        attempt = barren = 0
        while attempt != self.attempts and barren < BARREN:
            tried = self._attempt(given, attempt)
            barren = 0 if tried else barren + 1
            attempt += 1

    def _attempt(self, given: Assignment, attempt: int) -> int:
        """Hold one conversation, and return how many files were tried."""
        assert given.llm is not None
        talk = self._beginning(given)
        tried = 0
        for number in range(1, self.rounds + 1):
            given.tell(f"naive: attempt {attempt + 1}, round {number}")
            try:
                reply = given.llm.chat(ROLE, talk, answer=SchedulerFile, sample=attempt)
            except CallFailed as error:
                if error.outcome is not CallOutcome.TOO_LONG:
                    raise
                return tried  # the conversation has outgrown the model's context
            info = self._try(given, attempt, number, reply)
            tried += info is not None
            if info and info["outcome"] == "ok":
                return tried
            talk += self._answered(reply, info)
        return tried

    def _beginning(self, given: Assignment) -> list[Message]:
        # Without the budget, so that every attempt begins with the same question.
        task = brief(given, processes=False, budget=False)
        return [system(prompt("system", PROMPTS)), user(prompt("task", PROMPTS, task=task.text), task.data)]

    def _try(self, given: Assignment, attempt: int, number: int, reply: Reply[SchedulerFile]) -> dict[str, Any] | None:
        """Measure the file and note it; return None if there is none."""
        noted = {"role": ROLE, "attempt": attempt + 1, "round": number}
        if reply.answer is None:
            given.note({**noted, "outcome": reply.outcome.value, "problem": reply.problem})
            return None
        # Noted first: the step may be the one that spends the budget.
        given.note({**noted, "outcome": reply.outcome.value})
        _, _, _, truncated, info = given.env.step({"source": reply.answer.source, "tunables": "{}"})
        if truncated:
            given.env.reset()
        return info

    def _answered(self, reply: Reply[SchedulerFile], info: dict[str, Any] | None) -> list[Message]:
        if info is None:
            # An unreadable message may hold tool calls without results; only its text may be sent back.
            said = {"role": "assistant", "content": reply.text or "(nothing)"}
            return [said, user(prompt("unread", PROMPTS, problem=reply.problem))]
        lines = tokens.cut(evidence(info), self.error_tokens)
        return [reply.message, user(prompt("failed", PROMPTS, evidence=lines))]
