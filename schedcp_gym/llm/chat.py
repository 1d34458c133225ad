"""The values of a conversation with a model. Messages are plain dicts in the form of OpenAI's chat protocol."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from schedcp_gym.llm.errors import CallOutcome

Message = dict[str, Any]
T = TypeVar("T")
#: Key of a message that holds the plain values behind its text. Only a provider of our own gets them; a language model
#: gets the text alone.
DATA = "data"


def system(text: str) -> Message:
    """Return a message that describes the task, to be sent before all others."""
    return {"role": "system", "content": text}


def user(text: str, data: Mapping[str, Any] | None = None) -> Message:
    """Return a message to the model, with the plain values that its text was written from, if there are any."""
    return {"role": "user", "content": text} | ({DATA: dict(data)} if data else {})


def tool_result(call_id: str, text: str, data: Mapping[str, Any] | None = None) -> Message:
    """Return the message with a tool's result for one call, as text and, if there are any, as plain values."""
    return {"role": "tool", "tool_call_id": call_id, "content": text} | ({DATA: dict(data)} if data else {})


def without_data(message: Message) -> Message:
    """Return a message as a language model gets it: the text alone."""
    return {key: value for key, value in message.items() if key != DATA}


@dataclass(frozen=True)
class Tool:
    """A tool that a model may call.

    Attributes:
        name: The name in calls.
        description: For the model.
        arguments: A pydantic model or dataclass, or a JSON schema (of an object) as an MCP server gives it.
    """

    name: str
    description: str
    arguments: type[Any] | Mapping[str, Any]

    def wire(self) -> dict[str, Any]:
        """Return the tool in the form of OpenAI's chat protocol."""
        schema = dict(self.arguments) if isinstance(self.arguments, Mapping) else schema_of(self.arguments)
        function = {"name": self.name, "description": self.description, "parameters": schema}
        return {"type": "function", "function": function}


@dataclass(frozen=True)
class ToolCall:
    """A call that a model asks for.

    Attributes:
        id: The message with the result must repeat it.
        name: The tool.
        arguments: Validated: an instance of the tool's model, or a dict if the tool has a JSON schema.
    """

    id: str
    name: str
    arguments: Any


@dataclass(frozen=True)
class ToolResult:
    """The result of a tool call: data for programs first, and the same as text for a language model.

    Nothing in it depends on the host or on the time of day, except a token of the verifier.

    Attributes:
        data: Plain values that can be written as JSON; empty for an error. ``guest_s``: guest seconds of the runs
            behind the result, whether they ran now or were in the store.
        text: The same in words.
        is_error: The arguments were wrong, or the tool failed; the text says why, and what to do instead.
        cached: All runs behind the result were in the store.
    """

    data: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    is_error: bool = False
    cached: bool = field(default=False, compare=False)

    @property
    def shown(self) -> str:
        """The text as a model sees it: that of an error begins with ``error:``."""
        return f"error: {self.text}" if self.is_error else self.text


@dataclass(frozen=True)
class Usage:
    """Tokens and dollars of an answer. None: the server did not report it, or the price is not known."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    usd: float | None = None


@dataclass(frozen=True)
class RawAnswer:
    """An answer as it arrived: message, reason of its end, usage."""

    message: Message
    finish_reason: str
    model: str
    usage: Usage


@dataclass(frozen=True)
class Reply(Generic[T]):
    """An answer of a model, validated.

    Attributes:
        outcome: ``ok``, or what is wrong: ``cut_off``, ``refused``, ``empty``, ``malformed``.
        text: The text, whatever the outcome.
        answer: The structured answer that was asked for; None unless ``ok``, and None beside tool calls.
        tool_calls: The calls that the model asks for; empty unless ``ok``.
        message: The message to append to the conversation before the next question.
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
        """Return whether the answer has the form that was asked for."""
        return self.outcome is CallOutcome.OK


@dataclass(frozen=True)
class Question(Generic[T]):
    """One question to a model.

    Attributes:
        messages: The conversation so far.
        tools: The tools that may be called.
        answer: A pydantic model or dataclass: the text must be JSON of it. None: free text.
        tool_choice: ``auto``, ``required`` or ``none``.
        max_tokens: Limit of the answer's tokens; None: as configured.
        sample: Number of this answer among several independent ones to the same question.
    """

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    answer: type[T] | None = None
    tool_choice: str = "auto"
    max_tokens: int | None = None
    sample: int = 0


def schema_of(model: type[Any]) -> dict[str, Any]:
    """Return the JSON schema of a pydantic model or dataclass, without its title."""
    schema = TypeAdapter(model).json_schema()
    return {key: value for key, value in schema.items() if key not in ("title", "$schema")}


#: Where a schema holds values and no further schemas.
_VALUES = ("default", "examples", "const", "enum")


def without_titles(schema: Any, *, strictness: bool = True) -> Any:
    """Return a JSON schema without the titles that pydantic derives from names: each of them costs tokens.

    Args:
        schema: The schema, or a part of it.
        strictness: Whether to keep ``additionalProperties: false``.
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
