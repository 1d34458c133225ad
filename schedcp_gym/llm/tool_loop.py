"""Let a model call tools until it answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from schedcp_gym.llm import tokens
from schedcp_gym.llm.chat import Message, Reply, Tool, ToolCall, ToolResult, tool_result, user
from schedcp_gym.llm.client import Client
from schedcp_gym.llm.prompting import prompt
from schedcp_gym.spec import BadInput

T = TypeVar("T")
#: Makes a call. A BadInput becomes a result for the model; any other exception ends the loop.
Execute = Callable[[ToolCall], ToolResult]
#: Shortens a conversation that has grown long. A call and its results stay together.
Shorten = Callable[[Sequence[Message]], Sequence[Message]]
#: Gets all calls of an answer before they are made one by one, so that work for them can begin in parallel.
Prepare = Callable[[Sequence[ToolCall]], None]

#: Tokens of one tool's result that the model gets.
RESULT_TOKENS = 4000


@dataclass(frozen=True)
class Talk(Generic[T]):
    """The end of a conversation with tools.

    Attributes:
        reply: The last reply: the answer, or what is wrong with it.
        messages: The conversation, as far as it was kept, with the last reply.
        rounds: Number of answers that called tools.
        calls: Number of tool calls that were made.
        out_of_rounds: The model asked for more calls than it was allowed.
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
    shorten: Shorten = list,
    prepare: Prepare | None = None,
) -> Talk[T]:
    """Ask a model, make the calls that it asks for, return their results to it, and repeat until it makes no call.

    After ``max_rounds`` rounds or ``max_calls`` calls the model has to answer without tools.

    Args:
        client: The model.
        role: Who asks; the ledger adds up costs by role.
        messages: The conversation so far.
        tools: The tools that may be called.
        execute: Makes a call.
        answer: A pydantic model or dataclass that the last text must be JSON of; None: free text.
        max_rounds: Limit of answers that call tools.
        max_calls: Limit of calls, counted in order; for later ones the model is told that they were not made.
        result_tokens: Limit of each result's tokens; the middle of a longer one is left out.
        shorten: Returns the conversation to continue with; called before each question.
        prepare: Called with the calls of an answer before the first of them is made.

    Raises:
        CallFailed: As :meth:`Client.chat`.
        LlmBudgetSpent: Likewise.
        NotRecorded: Likewise.

    Example:
        >>> look = Tool("look", "Looks at a CPU.", {"type": "object", "properties": {"cpu": {"type": "integer"}}})
        >>> talk = run_tools(client, "planner", [user("Which CPU is idle?")], [look], lambda call: ToolResult(text="0"))
        >>> talk.reply.text
    """
    talk, calls = list(messages), 0
    for rounds in range(max_rounds + 1):
        is_last = rounds == max_rounds or calls >= max_calls
        if is_last:
            talk.append(user(prompt("last_round")))
        talk = list(shorten(talk))
        choice = "none" if is_last else "auto"
        reply: Reply[T] = client.chat(role, talk, tools=tools, answer=answer, tool_choice=choice)
        talk.append(reply.message)
        if is_last or not reply.tool_calls:
            return Talk(reply, tuple(talk), rounds, calls, is_last and bool(reply.tool_calls))
        if prepare is not None:
            prepare(reply.tool_calls[: max_calls - calls])
        for call in reply.tool_calls:
            if calls < max_calls:
                result = _result(call, execute)
                talk.append(tool_result(call.id, tokens.cut(result.shown, result_tokens), _data(result)))
                calls += 1
            else:
                talk.append(tool_result(call.id, prompt("call_not_made")))
    raise AssertionError("the last round returns")


def _result(call: ToolCall, execute: Execute) -> ToolResult:
    try:
        return execute(call)
    except BadInput as error:  # the model can correct it; a fault of the host ends the run
        return ToolResult(text=str(error), is_error=True)


def _data(result: ToolResult) -> dict[str, Any]:
    return {"is_error": True} if result.is_error else dict(result.data)


def plain_arguments(call: ToolCall) -> Any:
    """Return a call's arguments as plain values, also where a pydantic model validated them."""
    from pydantic import TypeAdapter

    arguments = call.arguments
    return (
        arguments if isinstance(arguments, dict) else TypeAdapter(type(arguments)).dump_python(arguments, mode="json")
    )
