"""The base of all roles: a prompt, tools, and a conversation that ends with a structured answer."""

import abc
import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from schedcp_gym.baselines.sched_agent.workbench import Workbench
from schedcp_gym.llm import Client, Message, Tool, prompt, run_tools, system, user
from schedcp_gym.llm.config import LlmConfig
from schedcp_gym.spec import BadInput

PROMPTS = Path(__file__).with_name("prompts")
TaskT = TypeVar("TaskT")
AnswerT = TypeVar("AnswerT")


@dataclasses.dataclass
class Context:
    """The context in which a role is asked. Merged roles share one, and its conversation continues.

    Attributes:
        client: The model.
        workbench: Makes tool calls.
        instructions: The system message.
        tools: The tools that may be called.
        is_kept: Whether the next question continues this conversation.
        messages: The conversation so far; empty before the first question.
        tell: Called with lines of progress.
    """

    client: Client
    workbench: Workbench
    instructions: str
    tools: Sequence[Tool]
    is_kept: bool
    messages: list[Message] = dataclasses.field(default_factory=list)
    tell: Callable[[str], None] = lambda _text: None


class Role(abc.ABC, Generic[TaskT, AnswerT]):
    """One of the four roles. Each is a subclass in a file of its own, with a task and an answer.

    A configuration may name another class for a role, with the same task and answer.
    """

    #: Its name in the configuration and in the ledger, and the name of its prompt's file.
    name: ClassVar[str]
    #: Names of its tools; those that do not exist in a run are left out.
    tools: ClassVar[tuple[str, ...]]
    answer: ClassVar[type[Any]]

    def __init__(
        self,
        *,
        llm: str | Mapping[str, Any] | None = None,
        max_rounds: int = 12,
        max_calls: int = 24,
        result_tokens: int = 3000,
    ) -> None:
        """Store the settings.

        Args:
            llm: The model of this role, instead of the run's: its name, or the fields that differ from the run's
                configuration.
            max_rounds: Limit of answers with tool calls; after these the role must answer without tools.
            max_calls: Limit of tool calls.
            result_tokens: Limit of the tokens of a tool's result; the middle of a longer one is left out.

        Raises:
            BadInput: A value is not a whole number from 1.
        """
        numbers = {"max_rounds": max_rounds, "max_calls": max_calls, "result_tokens": result_tokens}
        for setting, number in numbers.items():
            if isinstance(number, bool) or not isinstance(number, int) or number < 1:
                raise BadInput(f"agent.roles.{self.name}.{setting} takes a whole number from 1, not {number!r}")
        self.llm = {"model": llm} if isinstance(llm, str) else dict(llm or {})
        self.max_rounds = max_rounds
        self.max_calls = max_calls
        self.result_tokens = result_tokens

    def client(self, client: Client) -> Client:
        """Return the client for this role's model.

        Raises:
            BadInput: Its configuration is wrong.
        """
        if not self.llm:
            return client
        try:
            config = TypeAdapter(LlmConfig).validate_python({**dataclasses.asdict(client.config), **self.llm})
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, ("roles", self.name, "llm", *first["loc"])))
            raise BadInput(f"agent.{where}: {first['msg']}, not {first['input']!r}") from None
        return client.using(config)

    @property
    def instructions(self) -> str:
        """The system message: the same in every round, so that providers can cache it."""
        return prompt(self.name, PROMPTS)

    def ask(self, context: Context, task: TaskT) -> AnswerT | None:
        """Ask the model, make its tool calls, and return its answer; None if it gives no usable one.

        Raises:
            CallFailed: The model can't be asked.
            LlmBudgetSpent: The model's budget is spent.
            BudgetSpent: The run's budget is spent.
        """
        if not context.messages or not context.is_kept:
            context.messages = [system(context.instructions)]
        block = {type(task).__name__: plain(task)}
        text = json.dumps(block, ensure_ascii=False, separators=(", ", ": "))
        context.messages.append(user(prompt("task", PROMPTS, task=text), block))
        context.tell(f"{self.name}: begins")
        talk = run_tools(
            context.client,
            self.name,
            context.messages,
            context.tools,
            context.workbench.execute,
            answer=self.answer,
            max_rounds=self.max_rounds,
            max_calls=self.max_calls,
            result_tokens=self.result_tokens,
            prepare=context.workbench.prepare,
        )
        context.messages = list(talk.messages)
        if talk.reply.answer is None:
            context.tell(f"{self.name}: gave no usable answer: {talk.reply.problem or talk.reply.outcome}")
        answer: AnswerT | None = talk.reply.answer
        return answer


def plain(message: Any) -> Any:
    """Return a message as plain values, without default values, which would only cost tokens."""
    return TypeAdapter(type(message)).dump_python(message, mode="json", exclude_defaults=True)
