"""A prompt, taken apart: what was asked, what was told, which tools were called and what they answered."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schedcp_gym.llm.providers import Prompt

_FENCE = re.compile(r"```([A-Za-z]*)[^\n]*\n(.*?)\n?```", re.DOTALL)
_ERROR = re.compile(r"\s*error\b\s*:", re.IGNORECASE)
#: In a conversation that goes on, a turn that was repaired is asked again: what was wrong before does not count.
_NOT_MADE = re.compile(r"^This call was not made")


@dataclass(frozen=True)
class Call:
    """A tool call that was made.

    Attributes:
        name: The tool.
        arguments: As they were sent.
        text: What it answered.
    """

    name: str
    arguments: Mapping[str, Any]
    text: str

    @property
    def failed(self) -> bool:
        """Whether the answer is an error."""
        return bool(_ERROR.match(self.text))


@dataclass(frozen=True)
class Conversation:
    """What can be known from a prompt.

    Attributes:
        schema: JSON schema of the answer; empty for free text.
        tools: Properties of the arguments by name, of each tool on offer.
        blocks: JSON objects that users told, oldest first.
        calls: Tool calls since the newest task, oldest first.
        earlier: Those before it: of a conversation that goes on with another task.
        told: Texts of system and users, in order.
        said: Texts of the assistant, in order.
        draw: For choices that should differ from sample to sample.
    """

    schema: Mapping[str, Any]
    tools: Mapping[str, Mapping[str, Any]]
    blocks: Sequence[Mapping[str, Any]]
    calls: Sequence[Call]
    earlier: Sequence[Call]
    told: Sequence[str]
    said: Sequence[str]
    draw: int = 0
    required: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def wants(self) -> frozenset[str]:
        """The names of the answer's properties."""
        return frozenset(self.schema.get("properties") or ())

    @property
    def all_calls(self) -> list[Call]:
        """All calls, oldest first."""
        return [*self.earlier, *self.calls]

    def of(self, *names: str) -> list[Call]:
        """Calls of some tools that did not fail, oldest first, those for an earlier task included."""
        return [call for call in self.all_calls if call.name in names and not call.failed]

    def asked(self, *names: str) -> list[Call]:
        """Calls of some tools for the present task, failed ones included."""
        return [call for call in self.calls if call.name in names]

    def offers(self, *names: str) -> bool:
        """Whether all these tools may be called now."""
        return all(name in self.tools for name in names)

    def call(self, tool: str, /, **arguments: Any) -> tuple[str, dict[str, Any]]:
        """A call of a tool, with those arguments that the tool knows."""
        known = self.tools.get(tool, {})
        return tool, {key: value for key, value in arguments.items() if key in known and value is not None}

    def block(self, *keys: str) -> Mapping[str, Any]:
        """The newest object in a block that has one of the keys: its value, if that is an object; else empty."""
        for block in reversed(self.blocks):
            for key in keys:
                if isinstance(block.get(key), Mapping):
                    return block[key]  # type: ignore[no-any-return]
        return {}

    def text(self) -> str:
        """All that was told, and all answers of tools."""
        return "\n".join([*self.told, *(call.text for call in self.all_calls)])


def read(prompt: Prompt) -> Conversation:
    """Takes a prompt apart."""
    messages = [{**message, "content": _plain(message.get("content"))} for message in prompt.messages]
    told = [message["content"] for message in messages if message["role"] in ("system", "user")]
    newest = _newest_task(messages)
    functions = [tool.get("function") or {} for tool in prompt.tools]
    parameters = {str(each.get("name")): each.get("parameters") or {} for each in functions}
    return Conversation(
        schema=_schema(told),
        tools={name: given.get("properties") or {} for name, given in parameters.items()},
        blocks=[
            block for message in messages if message["role"] == "user" for block in json_blocks(message["content"])
        ],
        calls=_calls(messages[newest:]),
        earlier=_calls(messages[:newest]),
        told=told,
        said=[message["content"] for message in messages if message["role"] == "assistant" and message["content"]],
        draw=prompt.seed or 0,
        required={name: given.get("required") or () for name, given in parameters.items()},
    )


def json_blocks(text: str) -> list[Mapping[str, Any]]:
    """The JSON objects in a text's fences, or the text itself if it is one."""
    found = [fence[2] for fence in _FENCE.finditer(text) if fence[1] in ("", "json")] or [text]
    return [value for value in map(_json, found) if isinstance(value, Mapping)]


def code_blocks(text: str) -> list[str]:
    """What is in a text's fences and is no JSON."""
    return [fence[2] for fence in _FENCE.finditer(text) if not isinstance(_json(fence[2]), Mapping)]


def strings(value: Any) -> Iterator[str]:
    """All texts in a JSON value, in order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, Sequence):
        for item in value:
            yield from strings(item)


def _newest_task(messages: Sequence[Mapping[str, Any]]) -> int:
    """Where the newest message of a user begins a task: one that follows an answer without calls, or the first."""
    start = 0
    for place, message in enumerate(messages):
        before = messages[place - 1] if place else {}
        follows_answer = before.get("role") == "assistant" and not before.get("tool_calls")
        if message["role"] == "user" and follows_answer and json_blocks(message["content"]):
            start = place
    return start


def _calls(messages: Sequence[Mapping[str, Any]]) -> list[Call]:
    answers = {message.get("tool_call_id"): message["content"] for message in messages if message["role"] == "tool"}
    calls = []
    for message in messages:
        for call in message.get("tool_calls") or ():
            text = answers.get(call.get("id"))
            if text is not None and not _NOT_MADE.match(text):
                arguments = _json(call["function"].get("arguments") or "{}")
                given = arguments if isinstance(arguments, Mapping) else {}
                calls.append(Call(call["function"].get("name") or "", given, text))
    return calls


def _schema(told: Sequence[str]) -> Mapping[str, Any]:
    """The newest JSON schema of an object that stands in a text as a line of its own begins."""
    for text in reversed(told):
        for match in reversed(list(re.finditer(r"^\{", text, re.MULTILINE))):
            try:
                value, _ = json.JSONDecoder().raw_decode(text, match.start())
            except ValueError:
                continue
            if isinstance(value, Mapping) and isinstance(value.get("properties"), Mapping):
                return value
    return {}


def _plain(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return ""


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
