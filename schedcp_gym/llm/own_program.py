"""Questions to a program of our own that answers in a model's place: no key, no network, no litellm."""

import json
from collections.abc import Mapping
from typing import Any

from schedcp_gym.llm import tokens
from schedcp_gym.llm.chat import RawAnswer, Usage
from schedcp_gym.llm.config import LlmConfig, Prices
from schedcp_gym.llm.providers import Prompt, Provider


class OwnProgram:
    """Sends requests to a provider in ``providers/``; see :class:`~schedcp_gym.llm.transport.LiteLlm`."""

    prices = Prices(0.0, 0.0)
    most_tokens = None

    def __init__(self, config: LlmConfig, provider: Provider) -> None:
        self._model = config.model
        self._provider = provider

    def check_key(self) -> None:
        """Do nothing: no key is needed."""

    def send(self, request: Mapping[str, Any], timeout_s: float) -> RawAnswer:  # noqa: ARG002  (as LiteLlm's)
        """Return the program's answer.

        Args:
            request: Role, messages with their data, tools and parameters.
            timeout_s: Not used: the program takes milliseconds.
        """
        name = self._model.partition("/")[2]
        messages = request["messages"]
        tools = () if request.get("tool_choice") == "none" else tuple(request.get("tools") or ())
        limit = int(request["max_tokens"])
        answer = self._provider.answer(Prompt(request["role"], name, messages, tools, limit, request.get("seed")))
        calls = [
            {
                "id": f"call_{len(messages)}_{place}",
                "type": "function",
                "function": {"name": tool, "arguments": json.dumps(arguments)},
            }
            for place, (tool, arguments) in enumerate(answer.calls)
        ]
        spent = tokens.count(answer.text) + (tokens.count(json.dumps(calls)) if calls else 0)
        message: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
        message |= {"tool_calls": calls} if calls else {}
        finish = "tool_calls" if calls else "stop"
        if spent > limit:  # the limit holds here as for a model
            message, finish, spent = {"role": "assistant", "content": answer.text[:limit]}, "length", limit
        asked = tokens.count_request(messages, tools)
        return RawAnswer(message, finish, self._model, Usage(asked, spent, None, 0.0))
