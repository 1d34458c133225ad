"""The single agent: all tools, one conversation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schedcp_gym.baselines.agent import Agent, Assignment
from schedcp_gym.baselines.briefing import brief, budget_block, json_block, writing_text
from schedcp_gym.baselines.single_agent.window import Window
from schedcp_gym.baselines.toolbox import MEASURE
from schedcp_gym.llm import Message, Reply, Talk, ToolCall, ToolResult, prompt, run_tools, system, user
from schedcp_gym.spec import BadInput

PROMPTS = Path(__file__).parent / "prompts"
#: The agent's role in the ledger.
ROLE = "single"
#: After so many answers in a row without a measurement before them, the search ends.
IDLE = 2
#: Limit of tool calls of an answer, on average; later ones are not made, and the model reads so.
CALLS = 8
#: Fields of a measurement that are kept when its round is left out of the conversation.
KEPT = ("policy", "tunables", "outcome", "message", "improvement", "reward")


class SingleAgent(Agent):
    """One model with all tools in one conversation: it observes, plans, writes, measures and learns.

    It is sched_agent without roles: the same tools and the same budget. When the conversation is longer than its limit,
    its oldest rounds are replaced by a list of their measurements.
    """

    action = "Synth"
    uses_llm = True
    uses_tools = True

    def __init__(
        self,
        *,
        tools: Sequence[str] | None = None,
        rounds: int = 200,
        context_tokens: int = 60000,
        result_tokens: int = 4000,
    ) -> None:
        """Store the settings.

        Args:
            tools: Names of its tools; None: all.
            rounds: Limit of answers with tool calls.
            context_tokens: Limit of the conversation's tokens, above which it is cut.
            result_tokens: Limit of the tokens of each tool's result.

        Raises:
            BadInput: A number is too small.
        """
        if rounds < 1 or result_tokens < 64 or context_tokens < 4 * result_tokens:
            least = "rounds of 1 or more, result_tokens of 64 or more, and context_tokens of four times that"
            raise BadInput(f"single_agent needs {least}")
        self.tools = tools
        self.rounds = rounds
        self.context_tokens = context_tokens
        self.result_tokens = result_tokens

    def run(self, given: Assignment) -> None:
        """Let the model work until the budget is spent, or it has nothing more to try."""
        given.env.reset(seed=given.seed)
        _Conversation(self, given).carry_on()


class _Conversation:
    """The conversation of a run."""

    def __init__(self, agent: SingleAgent, given: Assignment) -> None:
        self.agent = agent
        self.given = given
        self.measured: list[dict[str, Any]] = []
        task = brief(given)
        self.talk: list[Message] = [
            system(prompt("system", PROMPTS, writing=writing_text())),
            user(prompt("task", PROMPTS, task=task.text), task.data),
        ]
        self.window = Window(agent.context_tokens, len(self.talk), self._left_out)

    def carry_on(self) -> None:
        """Continue until the model has nothing more to try."""
        given, left = self.given, self.agent.rounds
        assert given.llm is not None
        assert given.tools is not None
        tools = given.tools.tools(self.agent.tools)
        idle = 0
        while left > 0:
            before = len(self.measured)
            talk: Talk[Any] = run_tools(
                given.llm,
                ROLE,
                self.talk,
                tools,
                self._execute,
                max_rounds=left,
                max_calls=CALLS * left,
                result_tokens=self.agent.result_tokens,
                shorten=self.window.shorten,
                prepare=given.tools.prepare,
            )
            left -= talk.rounds + 1
            given.note({"role": ROLE, "outcome": talk.reply.outcome.value, "text": talk.reply.text})
            idle = idle + 1 if len(self.measured) == before else 0
            if given.ledger.is_spent or idle >= IDLE:
                return
            self.talk = [*talk.messages[:-1], *self._answered(talk.reply)]

    def _execute(self, call: ToolCall) -> ToolResult:
        assert self.given.tools is not None
        result = self.given.tools.execute(call)
        if call.name == MEASURE and not result.is_error:
            self.measured.append({name: result.data[name] for name in KEPT if result.data.get(name)})
        return result

    def _answered(self, reply: Reply[Any]) -> list[Message]:
        """Return an answer without calls, and the reply to it."""
        said = {"role": "assistant", "content": reply.text or "(nothing)"}
        left = ", ".join(f"{name}: {value}" for name, value in self._budget().items())
        if reply.ok:
            return [said, user(prompt("go_on", PROMPTS, left=left))]
        return [said, user(prompt("unread", PROMPTS, problem=reply.problem, left=left))]

    def _left_out(self, rounds: int) -> Message:
        state = json_block({"measured": self.measured, "budget": self._budget()})
        return user(prompt("left_out", PROMPTS, rounds=str(rounds), state=state))

    def _budget(self) -> dict[str, Any]:
        return budget_block(self.given.ledger, self.given.llm)
