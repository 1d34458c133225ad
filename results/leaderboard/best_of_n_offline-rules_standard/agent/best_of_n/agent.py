"""Best of n: the same question n times, each answer measured."""

import json
from pathlib import Path

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from schedcp_gym.baselines.agent import Agent, Assignment
from schedcp_gym.baselines.briefing import task_of, task_text, writing_text
from schedcp_gym.baselines.toolbox import policy_source
from schedcp_gym.llm import LlmBudgetSpent, Message, Reply, prompt, system, user
from schedcp_gym.spec import BadInput

PROMPTS = Path(__file__).parent / "prompts"
#: As whom it asks: the ledger's role.
ROLE = "sampler"
#: So many answers in a row that can't be read, and the model is taken not to be able to do it.
BARREN = 5


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Sample:
    """A policy as the model writes it."""

    source: str = Field(min_length=1, description="The whole of the policy, in BPF C.")
    tunables: dict[str, int | bool | str] = Field(
        default_factory=dict, description='Values for TUNABLEs of the source by name, like {"slice_us": 3000}.'
    )
    reason: str = Field(default="", description="Why this should help, in one sentence.")


class BestOfN(Agent):
    """Asks the same question again and again, and measures every answer: sampling instead of feedback.

    All samples of an episode have the same prompt (workload, objective, EEVDF's figures, processes seen, how a policy
    is written, one example); what came of earlier ones is in none. So they can be measured at once. An answer that is
    not a policy is a sample too, but costs no evaluation. (The record has no notes of its samples: reasons, and what
    could not be read, are in the model's transcript.)
    """

    action = "Synth"
    uses_llm = True

    def __init__(self, *, samples: int | None = None, example: str | None = "fifo") -> None:
        """Sets what can be set.

        Args:
            samples: How many; None: until the budget is spent.
            example: A policy of the repository that is shown with the question; None: none, and no tool is used.

        Raises:
            BadInput: No sample at all.
        """
        if samples is not None and samples < 1:
            raise BadInput(f"best_of_n: samples must be 1 or more, or null, not {samples}")
        self.samples = samples
        self.example = example
        self.uses_tools = example is not None

    def run(self, given: Assignment) -> None:
        """Samples until the budget or the number of samples is used up, or nothing can be read."""
        given.env.reset(seed=given.seed)
        question = self._question(given)
        asked = barren = 0
        while asked != self.samples and barren < BARREN:
            # Their number changes nothing but time: no sample depends on a result, and the order stays.
            batch, barren, stop = self._batch(given, question, asked, barren)
            asked += len(batch)
            is_over = self._measure(given, [reply.answer for reply in batch if reply.answer is not None])
            if stop:
                raise stop
            if is_over:
                given.env.reset()
                question = self._question(given)

    def _question(self, given: Assignment) -> list[Message]:
        shown = ""
        if self.example is not None:
            assert given.tools is not None
            shown = prompt("example", PROMPTS, example=policy_source(given.tools, self.example, "agent.example"))
        task = prompt("task", PROMPTS, task=task_text(given, budget=False), example=shown)
        return [system(prompt("system", PROMPTS, writing=writing_text())), user(task.strip())]

    def _batch(
        self, given: Assignment, question: list[Message], asked: int, barren: int
    ) -> tuple[list[Reply[Sample]], int, LlmBudgetSpent | None]:
        """As many samples as are measured at once, and how many in a row could not be read by now.

        With them what stopped it, so that they are measured first. Where it stops does not depend on the batch's size.
        """
        assert given.llm is not None
        task = task_of(given)
        left = float("inf") if self.samples is None else self.samples - asked
        size = int(min(2 * task.lab.workers, task.steps_left, given.ledger.evaluations_left, left))
        batch: list[Reply[Sample]] = []
        for number in range(asked, asked + max(1, size)):
            given.tell(f"sampling: sample {number + 1}")
            try:
                reply = given.llm.chat(ROLE, question, answer=Sample, sample=number)
            except LlmBudgetSpent as stop:
                return batch, barren, stop
            batch.append(reply)
            barren = 0 if reply.ok else barren + 1
            if barren >= BARREN:
                break
        return batch, barren, None

    def _measure(self, given: Assignment, samples: list[Sample]) -> bool:
        """Measures samples; returns whether the episode is over."""
        actions = [{"source": sample.source, "tunables": json.dumps(sample.tunables)} for sample in samples]
        given.env.get_wrapper_attr("prefetch")(actions)
        truncated = False
        for action in actions:
            truncated = given.env.step(action)[3]
        return truncated
