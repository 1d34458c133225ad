"""The naive agent: "write a scheduler in eBPF for this workload"."""

from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from schedcp_gym.baselines.agent import Agent, Assignment
from schedcp_gym.baselines.briefing import evidence, task_text
from schedcp_gym.llm import CallFailed, CallOutcome, Message, Reply, prompt, system, tokens, user
from schedcp_gym.spec import BadInput

PROMPTS = Path(__file__).parent / "prompts"
#: As whom it asks: the ledger's role.
ROLE = "naive"
#: So many attempts in a row without a file to try, and the model is taken not to be able to do it.
BARREN = 3


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class SchedulerFile:
    """The file that the model writes."""

    source: str = Field(min_length=1, description="The whole of scheduler.bpf.c, in BPF C.")


class NaiveAgent(Agent):
    """One model, one prompt, error lines: no repository, no analysis, no verifier, no figures.

    It knows what somebody knows who has read a page about sched_ext: that there is <scx/common.bpf.h>. It is told the
    workload's description, metrics and objective, and EEVDF's figures; not the processes seen, which is analysis, nor
    the house's own headers. A file is tried by measuring it (an evaluation of the budget). If it does not compile,
    is not loaded, or is thrown out, the model sees those lines, as one who tries it by hand would, and writes it again.

    Once one works, or after some rounds, the attempt is over, and the next begins in an empty folder again: how good a
    working one is, the model is never told, so there is nothing it could improve.
    """

    action = "Synth"
    uses_llm = True

    def __init__(self, *, attempts: int | None = None, rounds: int = 12, error_tokens: int = 2000) -> None:
        """Sets what can be set.

        Args:
            attempts: Conversations; None: until the budget is spent.
            rounds: Answers within one of them.
            error_tokens: Tokens of error lines that the model gets to see at once.

        Raises:
            BadInput: A number is too small.
        """
        if rounds < 1 or (attempts is not None and attempts < 1) or error_tokens < 64:
            raise BadInput("naive_agent needs attempts and rounds of 1 or more, and error_tokens of 64 or more")
        self.attempts = attempts
        self.rounds = rounds
        self.error_tokens = error_tokens

    def run(self, given: Assignment) -> None:
        """Begins anew until budget or attempts are used up, or the model brings nothing to try."""
        given.env.reset(seed=given.seed)
        attempt = barren = 0
        while attempt != self.attempts and barren < BARREN:
            tried = self._attempt(given, attempt)
            barren = 0 if tried else barren + 1
            attempt += 1

    def _attempt(self, given: Assignment, attempt: int) -> int:
        """One conversation; returns how many files were tried."""
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
        # No budget in it: every attempt begins with the same words.
        task = prompt("task", PROMPTS, task=task_text(given, processes=False, budget=False))
        return [system(prompt("system", PROMPTS)), user(task)]

    def _try(self, given: Assignment, attempt: int, number: int, reply: Reply[SchedulerFile]) -> dict[str, Any] | None:
        """Measures what was written, and notes it; None if nothing was."""
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
            # A message that could not be read may hold calls that nobody answers; its text may be sent back.
            said = {"role": "assistant", "content": reply.text or "(nothing)"}
            return [said, user(prompt("unread", PROMPTS, problem=reply.problem))]
        lines = tokens.cut(evidence(info), self.error_tokens)
        return [reply.message, user(prompt("failed", PROMPTS, evidence=lines))]
