"""What all roles have in common: a prompt, tools, and a conversation that ends with a structured answer."""

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
    """What a role knows when it is asked. Merged roles share one, and its conversation goes on.

    Attributes:
        client: The model.
        workbench: Makes tool calls.
        instructions: The system message.
        tools: What may be called.
        is_kept: Whether the next question follows on this one.
        messages: The conversation so far; empty before the first question.
        tell: Told what the role does.
    """

    client: Client
    workbench: Workbench
    instructions: str
    tools: Sequence[Tool]
    is_kept: bool
    messages: list[Message] = dataclasses.field(default_factory=list)
    tell: Callable[[str], None] = lambda _text: None


class Role(abc.ABC, Generic[TaskT, AnswerT]):
    """One of the four. A subclass in a file of its own says what it is given and what it answers.

    A configuration may name another class for a role, with the same task and answer.
    """

    #: As in the configuration, the ledger and the file of its prompt.
    name: ClassVar[str]
    #: Tools it is offered, where there are such.
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
        """Sets what can be set.

        Args:
            llm: The model of this role, instead of the run's: its name, or fields of the run's configuration that
                differ.
            max_rounds: Answers with tool calls; after these it must answer with what it knows.
            max_calls: Tool calls in all.
            result_tokens: Tokens of a tool's result that it sees; longer ones lose their middle.

        Raises:
            BadInput: A number is none, or below 1.
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
        """The client that asks this role's model.

        Raises:
            BadInput: Its configuration is not allowed.
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
        """What the role is told before anything else: the same in every round, so that providers can cache it."""
        return prompt(self.name, PROMPTS)

    def ask(self, context: Context, task: TaskT) -> AnswerT | None:
        """Asks, makes the calls that are wanted, and gives the answer; None if there is none that can be used.

        Raises:
            CallFailed: The model can't be asked.
            LlmBudgetSpent: Its budget is spent.
            BudgetSpent: The run's is.
        """
        if not context.messages or not context.is_kept:
            context.messages = [system(context.instructions)]
        context.messages.append(user(prompt("task", PROMPTS, task=task_json(task))))
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
            context.tell(f"{self.name}: gave no answer that can be used: {talk.reply.problem or talk.reply.outcome}")
        answer: AnswerT | None = talk.reply.answer
        return answer


def task_json(task: Any) -> str:
    """A task as the JSON block of a prompt: one object whose key says what it is."""
    return json.dumps({type(task).__name__: plain(task)}, ensure_ascii=False, separators=(", ", ": "))


def plain(message: Any) -> Any:
    """A message as plain values; what is as it is by default is left out, for tokens are dear."""
    return TypeAdapter(type(message)).dump_python(message, mode="json", exclude_defaults=True)
