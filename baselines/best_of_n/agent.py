"""Best of n: the same question n times, each answer measured."""

import json
from pathlib import Path

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from schedcp_gym.baselines.agent import Agent, Assignment
from schedcp_gym.baselines.briefing import brief, task_of, writing_text
from schedcp_gym.baselines.toolbox import policy_source
from schedcp_gym.llm import LlmBudgetSpent, Message, Reply, prompt, system, user
from schedcp_gym.spec import BadInput
from schedcp_gym.spec.policy import Value

PROMPTS = Path(__file__).parent / "prompts"
#: The agent's role in the ledger.
ROLE = "sampler"
#: After so many answers in a row that cannot be read, the search ends.
BARREN = 5


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Sample:
    """A policy as the model writes it."""

    source: str = Field(min_length=1, description="The whole of the policy, in BPF C.")
    tunables: dict[str, Value] = Field(
        default_factory=dict, description='Values for TUNABLEs of the source by name, like {"slice_us": 3000}.'
    )
    reason: str = Field(default="", description="Why this should help, in one sentence.")


class BestOfN(Agent):
    """Asks the same question several times, and measures every answer: sampling instead of feedback.

    All samples of an episode have the same prompt (workload, objective, EEVDF's figures, processes, rules for writing a
    policy, one example), without results of earlier samples. So they can be measured in parallel. An answer that is not
    a policy is a sample too, but costs no evaluation. (The record has no notes of the samples: reasons and unreadable
    answers are in the model's transcript.)
    """

    action = "Synth"
    uses_llm = True

    def __init__(self, *, samples: int | None = None, example: str | None = "fifo") -> None:
        """Store the settings.

        Args:
            samples: Number of samples; None: until the budget is spent.
            example: A policy of the repository to show in the prompt; None: no example, and no tool is used.

        Raises:
            BadInput: The number is below 1.
        """
        if samples is not None and samples < 1:
            raise BadInput(f"best_of_n: samples must be 1 or more, or null, not {samples}")
        self.samples = samples
        self.example = example
        self.uses_tools = example is not None

    def run(self, given: Assignment) -> None:
        """Sample until the budget or the number of samples is used up, or no answer can be read."""
        given.env.reset(seed=given.seed)
        question = self._question(given)
        asked = barren = 0
        while asked != self.samples and barren < BARREN:
            # The size of a batch changes only the time: no sample depends on a result, and the order stays.
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
        told = brief(given, budget=False)
        task = prompt("task", PROMPTS, task=told.text, example=shown)
        return [system(prompt("system", PROMPTS, writing=writing_text())), user(task.strip(), told.data)]

    def _batch(
        self, given: Assignment, question: list[Message], asked: int, barren: int
    ) -> tuple[list[Reply[Sample]], int, LlmBudgetSpent | None]:
        """Return as many samples as are measured at once, and the number of unreadable answers in a row so far.

        The third value is the budget's end, if it came: the samples are measured before it is raised. Where the search
        ends does not depend on the size of a batch.
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
        """Measure samples, and return whether the episode has ended."""
        actions = [{"source": sample.source, "tunables": json.dumps(sample.tunables)} for sample in samples]
        given.env.get_wrapper_attr("prefetch")(actions)
        truncated = False
        for action in actions:
            truncated = given.env.step(action)[3]
        return truncated
