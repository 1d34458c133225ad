"""A prompt as data: the task, the tools on offer, and the calls so far with their results."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schedcp_gym.llm.chat import DATA
from schedcp_gym.llm.providers import Prompt

#: Tool calls as (name, arguments).
Calls = list[tuple[str, dict[str, Any]]]
#: Calls, an answer that becomes JSON, or text.
Turn = Calls | dict[str, Any] | str


@dataclass(frozen=True)
class PastCall:
    """A tool call that was made, with its result's data."""

    name: str
    arguments: Mapping[str, Any]
    data: Mapping[str, Any]

    @property
    def failed(self) -> bool:
        """Return whether the tool reported an error."""
        return bool(self.data.get("is_error"))


@dataclass(frozen=True)
class Conversation:
    """The data of a prompt.

    Attributes:
        blocks: Data of the users' messages, oldest first.
        calls: Tool calls since the newest of these messages, oldest first.
        earlier: Tool calls before it.
        tools: Names of the tools on offer.
        answers: Number of the model's answers so far.
        draw: Number that makes samples of one prompt differ.
    """

    blocks: Sequence[Mapping[str, Any]]
    calls: Sequence[PastCall]
    earlier: Sequence[PastCall]
    tools: frozenset[str]
    answers: int
    draw: int

    def value(self, key: str) -> Any:
        """Return the newest value of a key in the users' data; an empty mapping if there is none."""
        return next((block[key] for block in reversed(self.blocks) if key in block), {})

    def of(self, *names: str, every: bool = False) -> list[PastCall]:
        """Return the calls of some tools for the newest task, or all, without those that failed."""
        calls = [*self.earlier, *self.calls] if every else self.calls
        return [call for call in calls if call.name in names and not call.failed]

    def asked(self, *names: str) -> list[PastCall]:
        """Return the calls of some tools for the newest task, also those that failed."""
        return [call for call in self.calls if call.name in names]

    def missing(self, *names: str) -> list[str]:
        """Return those of the named tools that are on offer and were not called for the newest task."""
        return [name for name in names if name in self.tools and not self.asked(name)]


def read(prompt: Prompt) -> Conversation:
    """Return the data of a prompt. Texts are not read, except the arguments of tool calls, which are JSON."""
    results = {message["tool_call_id"]: message.get(DATA) for message in prompt.messages if message["role"] == "tool"}
    blocks: list[Mapping[str, Any]] = []
    calls: list[PastCall] = []
    begin = answers = 0
    for message in prompt.messages:
        if message["role"] == "user" and message.get(DATA):
            blocks.append(message[DATA])
            begin = len(calls)
        answers += message["role"] == "assistant"
        for call in message.get("tool_calls") or ():
            data = results.get(call["id"])
            if data is not None:  # else the call was not made
                calls.append(PastCall(call["function"]["name"], json.loads(call["function"]["arguments"]), data))
    tools = frozenset(tool["function"]["name"] for tool in prompt.tools)
    return Conversation(blocks, calls[begin:], calls[:begin], tools, answers, prompt.seed or 0)
