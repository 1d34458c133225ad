"""Makes our own providers known to litellm. Imported only when one of them is used: it imports litellm."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import litellm
from litellm.types.utils import Choices, Usage
from litellm.types.utils import Message as LiteMessage

from schedcp_gym.llm import tokens
from schedcp_gym.llm.providers import Answer, Prompt, Provider


def register(name: str, provider: Provider) -> None:
    """Makes litellm call the provider for every model ``name/…`` from now on."""
    rest = [item for item in litellm.custom_provider_map if item["provider"] != name]
    litellm.custom_provider_map = [*rest, {"provider": name, "custom_handler": _Handler(provider)}]


class _Handler(litellm.CustomLLM):  # type: ignore[misc, name-defined]
    """A provider in litellm's form."""

    def __init__(self, provider: Provider) -> None:
        super().__init__()
        self._provider = provider

    async def acompletion(self, model: str, messages: Any, model_response: Any, **given: Any) -> Any:
        # On a thread of its own: others may be waiting for answers on the loop.
        return await asyncio.to_thread(self.completion, model, messages, model_response=model_response, **given)

    def completion(self, model: str, messages: Any, *, model_response: Any, **given: Any) -> Any:
        params: Mapping[str, Any] = given.get("optional_params") or {}
        choice = params.get("tool_choice", "auto")
        offered = [] if choice == "none" else list(params.get("tools") or [])
        prompt = Prompt(
            model, messages, offered, choice == "required", int(params.get("max_tokens") or 0), params.get("seed")
        )
        return _fill(model_response, model, prompt, self._provider.answer(prompt))


def _fill(response: Any, model: str, prompt: Prompt, answer: Answer) -> Any:
    calls = [
        {
            "id": f"call_{len(prompt.messages)}_{index}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for index, (name, arguments) in enumerate(answer.calls)
    ]
    text = answer.text
    spent = tokens.count(text) + (tokens.count(json.dumps(calls)) if calls else 0)
    message = LiteMessage(role="assistant", content=text or None, tool_calls=calls or None)
    # A limit is a limit, here as with a model.
    is_cut = bool(prompt.max_tokens) and spent > prompt.max_tokens
    if is_cut:
        message, spent = LiteMessage(role="assistant", content=text[: prompt.max_tokens]), prompt.max_tokens
    response.model = model
    response.choices = [
        Choices(finish_reason="length" if is_cut else "tool_calls" if calls else "stop", message=message)
    ]
    asked = tokens.count_request(prompt.messages, prompt.tools)
    response.usage = Usage(prompt_tokens=asked, completion_tokens=spent, total_tokens=asked + spent)
    return response
