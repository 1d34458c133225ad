"""The values of a conversation with a model. Messages are plain dicts in the form of OpenAI's chat protocol."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from schedcp_gym.llm.errors import CallOutcome

Message = dict[str, Any]
T = TypeVar("T")


def system(text: str) -> Message:
    """What the model is told about its task, before anything else."""
    return {"role": "system", "content": text}


def user(text: str) -> Message:
    """What the model is told or asked."""
    return {"role": "user", "content": text}


def tool_result(call_id: str, text: str) -> Message:
    """What a tool has answered to one call."""
    return {"role": "tool", "tool_call_id": call_id, "content": text}


@dataclass(frozen=True)
class Tool:
    """A tool that a model may call.

    Attributes:
        name: As the model calls it.
        description: For the model.
        arguments: A pydantic model or dataclass, or a JSON schema (of an object) as an MCP server gives it.
    """

    name: str
    description: str
    arguments: type[Any] | Mapping[str, Any]

    def wire(self) -> dict[str, Any]:
        """The tool as the protocol has it."""
        schema = dict(self.arguments) if isinstance(self.arguments, Mapping) else schema_of(self.arguments)
        function = {"name": self.name, "description": self.description, "parameters": schema}
        return {"type": "function", "function": function}


@dataclass(frozen=True)
class ToolCall:
    """A call that a model wants made.

    Attributes:
        id: Belongs into the result's message.
        name: The tool.
        arguments: Checked: an instance of the tool's model, or a dict if the tool has a JSON schema.
    """

    id: str
    name: str
    arguments: Any


@dataclass(frozen=True)
class Usage:
    """What an answer took. None: the server did not say, or the price is not known."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    usd: float | None = None


@dataclass(frozen=True)
class RawAnswer:
    """An answer as it came: message, reason of its end, usage."""

    message: Message
    finish_reason: str
    model: str
    usage: Usage


@dataclass(frozen=True)
class Reply(Generic[T]):
    """What a model has answered.

    Attributes:
        outcome: ``ok``, or what is wrong with it: ``cut_off``, ``refused``, ``empty``, ``malformed``.
        text: Its text, whatever the outcome.
        answer: The structured answer that was asked for; None unless ``ok``, and None next to tool calls.
        tool_calls: The calls it wants made; empty unless ``ok``.
        message: To be appended to the conversation before it goes on.
        problem: What is wrong, for people and for the record; empty when ``ok``.
        repaired: The first answer was malformed, and this is the second one.
    """

    outcome: CallOutcome
    text: str
    message: Message
    answer: T | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    problem: str = ""
    repaired: bool = False

    @property
    def ok(self) -> bool:
        """Whether it is what was asked for."""
        return self.outcome is CallOutcome.OK


@dataclass(frozen=True)
class Question(Generic[T]):
    """What a model is asked.

    Attributes:
        messages: The conversation so far.
        tools: What it may call.
        answer: A pydantic model or dataclass: the text must be JSON of it. None: free text.
        tool_choice: ``auto``, ``required`` or ``none``.
        max_tokens: Tokens the answer may have; None: as configured.
        sample: Which of several independent answers to the same question.
    """

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    answer: type[T] | None = None
    tool_choice: str = "auto"
    max_tokens: int | None = None
    sample: int = 0


def schema_of(model: type[Any]) -> dict[str, Any]:
    """The JSON schema of a pydantic model or dataclass, without what only people read."""
    schema = TypeAdapter(model).json_schema()
    return {key: value for key, value in schema.items() if key not in ("title", "$schema")}


#: Where a schema holds values and no further schemas.
_VALUES = ("default", "examples", "const", "enum")


def without_titles(schema: Any, *, strictness: bool = True) -> Any:
    """A JSON schema without the titles that pydantic makes of names: a model pays for each of them.

    Args:
        schema: The schema, or a part of it.
        strictness: Whether objects still say that they take no other properties.
    """
    if isinstance(schema, list):
        return [without_titles(item, strictness=strictness) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value if key in _VALUES else without_titles(value, strictness=strictness)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str))
        and (strictness or key != "additionalProperties" or value is not False)
    }
