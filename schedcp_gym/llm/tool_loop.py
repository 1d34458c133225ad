"""Lets a model call tools until it has its answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from schedcp_gym.llm import tokens
from schedcp_gym.llm.chat import Message, Reply, Tool, ToolCall, tool_result, user
from schedcp_gym.llm.client import Client
from schedcp_gym.llm.prompting import prompt
from schedcp_gym.spec import BadInput

T = TypeVar("T")
#: Makes a call and gives its result as text. A SchedcpError is told to the model; anything else ends the loop.
Execute = Callable[[ToolCall], str]
#: Gives the conversation to go on with, when one has grown long. A call and its results stay together.
Shorten = Callable[[Sequence[Message]], Sequence[Message]]
#: Is told of all calls of an answer before they are made, one by one: what can be done side by side may begin.
Prepare = Callable[[Sequence[ToolCall]], None]

#: Tokens of one tool's result that the model gets to see.
RESULT_TOKENS = 4000


@dataclass(frozen=True)
class Talk(Generic[T]):
    """How a conversation with tools ended.

    Attributes:
        reply: The last one: the answer, or what is wrong with it.
        messages: The whole conversation, as far as it was kept, with the last reply.
        rounds: Answers that called tools.
        calls: Tool calls that were made.
        out_of_rounds: It would have called more tools, had it been allowed to.
    """

    reply: Reply[T]
    messages: tuple[Message, ...]
    rounds: int
    calls: int
    out_of_rounds: bool


def run_tools(
    client: Client,
    role: str,
    messages: Sequence[Message],
    tools: Sequence[Tool],
    execute: Execute,
    *,
    answer: type[T] | None = None,
    max_rounds: int = 20,
    max_calls: int = 100,
    result_tokens: int = RESULT_TOKENS,
    max_tokens: int | None = None,
    sample: int = 0,
    shorten: Shorten = list,
    prepare: Prepare | None = None,
) -> Talk[T]:
    """Asks, makes the calls that the model wants, tells it their results, and so on until it answers without a call.

    After ``max_rounds`` rounds or ``max_calls`` calls the model has to answer with what it knows.

    Args:
        client: The model.
        role: Who asks.
        messages: The conversation so far.
        tools: What the model may call.
        execute: Makes a call.
        answer: A pydantic model or dataclass that the last text must be JSON of; None: free text.
        max_rounds: Answers that may call tools.
        max_calls: Calls that may be made, in order; those beyond are told to the model as not made.
        result_tokens: Tokens of each result; longer ones lose their middle.
        max_tokens: Tokens of each answer; None: as configured.
        sample: Which of several independent conversations.
        shorten: Is given the conversation before each question.
        prepare: Is told of the calls of an answer that are about to be made.

    Raises:
        CallFailed: As :meth:`Client.chat`.
        LlmBudgetSpent: Likewise.
        NotRecorded: Likewise.
    """
    talk, calls = list(messages), 0
    for rounds in range(max_rounds + 1):
        is_last = rounds == max_rounds or calls >= max_calls
        if is_last:
            talk.append(user(prompt("last_round")))
        talk = list(shorten(talk))
        reply: Reply[T] = client.chat(
            role,
            talk,
            tools=tools,
            answer=answer,
            tool_choice="none" if is_last else "auto",
            max_tokens=max_tokens,
            sample=sample,
        )
        talk.append(reply.message)
        if is_last or not reply.tool_calls:
            return Talk(reply, tuple(talk), rounds, calls, is_last and bool(reply.tool_calls))
        if prepare is not None:
            prepare(reply.tool_calls[: max_calls - calls])
        for call in reply.tool_calls:
            allowed = calls < max_calls
            result = _result(call, execute) if allowed else prompt("call_not_made")
            calls += allowed
            talk.append(tool_result(call.id, tokens.cut(result, result_tokens)))
    raise AssertionError("the last round returns")


def _result(call: ToolCall, execute: Execute) -> str:
    try:
        return execute(call)
    except BadInput as error:  # what the model can mend; a host that failed ends the run
        return f"error: {error}"


def plain_arguments(call: ToolCall) -> Any:
    """A call's arguments as plain values, also where they were checked by a model."""
    from pydantic import TypeAdapter

    arguments = call.arguments
    return (
        arguments if isinstance(arguments, dict) else TypeAdapter(type(arguments)).dump_python(arguments, mode="json")
    )
