"""Calls of litellm, in one place: one attempt gives one answer or one error."""

import asyncio
import functools
import logging
import os
import re
import threading
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from schedcp_gym.llm.chat import RawAnswer, Usage
from schedcp_gym.llm.classify import failure, key_of
from schedcp_gym.llm.config import LlmConfig, Prices
from schedcp_gym.llm.errors import CallFailed, CallOutcome

#: Fields of a message that the conversation keeps; reasoning belongs to the tool calls that it led to.
_MESSAGE_FIELDS = ("role", "content", "tool_calls", "refusal", "reasoning_content", "thinking_blocks")
_THINKING = ("reasoning_content", "thinking_blocks")
_LOCK = threading.Lock()
_LOOPS: dict[int, asyncio.AbstractEventLoop] = {}


class LiteLlm:
    """Sends requests to one model through litellm."""

    def __init__(self, config: LlmConfig) -> None:
        """Import litellm, which takes two seconds the first time. Nothing is sent."""
        self.config = config
        self._litellm = _litellm()

    @functools.cached_property
    def prices(self) -> Prices | None:
        """The model's prices; None if they are not known."""
        if self.config.prices:
            return self.config.prices
        table = self._table_entry()
        prompt = _highest_price(table, "input_cost_per_token")
        completion = _highest_price(table, "output_cost_per_token")
        return None if prompt is None or completion is None else Prices(prompt * 1e6, completion * 1e6)

    @functools.cached_property
    def most_tokens(self) -> int | None:
        """Tokens of the longest answer that the model can give; None if not known."""
        most = self._table_entry().get("max_output_tokens")
        return most if isinstance(most, int) and most > 0 else None

    @functools.cached_property
    def _unknown_params(self) -> set[str]:
        """Optional parameters that the model does not support."""
        provider, _, name = self.config.model.partition("/")
        known = self._litellm.get_supported_openai_params(model=name, custom_llm_provider=provider)
        return set() if known is None else {"seed", "response_format"} - set(known)

    def check_key(self) -> None:
        """Check that the environment has a key, where one is needed.

        Raises:
            CallFailed: It has none.
        """
        key_of(self.config, self._missing_keys())

    def send(self, request: Mapping[str, Any], timeout_s: float) -> RawAnswer:
        """Make one attempt.

        Args:
            request: Messages, tools and parameters by litellm's names.
            timeout_s: Host seconds after which the attempt ends, however much of the answer has arrived by then.

        Raises:
            CallFailed: There is no answer.
        """
        config = self.config
        missing = self._missing_keys()
        arguments = {
            "model": config.model,
            "api_base": config.api_base,
            "api_key": key_of(config, missing),
            "timeout": timeout_s,
            "max_retries": 0,
            "num_retries": 0,
            **{name: value for name, value in request.items() if name not in self._unknown_params},
        }
        try:
            response = _on_loop(self._litellm.acompletion, arguments, timeout_s)
        except Exception as error:  # noqa: BLE001 (every provider's library raises its own)
            raise failure(error, config, timeout_s, missing) from None
        return self._answer(response)

    def _answer(self, response: Any) -> RawAnswer:
        plain = response.model_dump(mode="json", exclude_none=True)
        if not plain.get("choices"):
            raise CallFailed(CallOutcome.BROKEN, f"{self.config.model}: an answer without any choice in it")
        choice = plain["choices"][0]
        told = choice.get("message", {})
        message = {name: told[name] for name in _MESSAGE_FIELDS if told.get(name)}
        message = {"role": "assistant", "content": None} | message
        if not message.get("tool_calls"):
            # Providers only need the reasoning again that led to tool calls.
            message = {name: value for name, value in message.items() if name not in _THINKING}
        for number, call in enumerate(message.get("tool_calls", ())):
            call.pop("index", None)
            # Small servers leave it out.
            call.setdefault("id", f"call_{plain.get('id')}_{number}")
        counted = plain.get("usage") or {}
        cached = (counted.get("prompt_tokens_details") or {}).get("cached_tokens")
        # litellm reports 0 for a server that does not count.
        prompt, completion = counted.get("prompt_tokens") or None, counted.get("completion_tokens") or None
        usage = Usage(prompt, completion, cached, self._usd(response, prompt, completion))
        return RawAnswer(message, choice.get("finish_reason") or "stop", plain.get("model") or "", usage)

    def _usd(self, response: Any, prompt: int | None, completion: int | None) -> float | None:
        if self.config.prices:
            return None if prompt is None or not self.prices else self.prices.usd(prompt, completion or 0)
        return getattr(response, "_hidden_params", {}).get("response_cost")

    def _missing_keys(self) -> list[str]:
        found = self._litellm.validate_environment(model=self.config.model)
        return [name for name in found.get("missing_keys") or [] if not name.endswith(("_BASE", "_URL"))]

    def _table_entry(self) -> dict[str, Any]:
        # litellm.get_model_info asks the server of some providers.
        name = self.config.model.partition("/")[2]
        for key in (self.config.model, name):
            entry = self._litellm.model_cost.get(key)
            if entry and entry.get("litellm_provider", "").startswith(self.config.provider.removesuffix("_chat")):
                return dict(entry)
        return {}


def _highest_price(entry: Mapping[str, Any], name: str) -> float | None:
    """Return the price per token, that of long prompts if they cost more."""
    prices = [entry[key] for key in entry if re.fullmatch(rf"{name}(_above_\d+k_tokens)?", key)]
    return max((price for price in prices if isinstance(price, (int, float))), default=None)


@functools.cache
def _litellm() -> ModuleType:
    """Return litellm, with everything off that uses the network by itself."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    os.environ["LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS"] = "True"
    os.environ["LITELLM_OFFLINE_MODE"] = "true"
    import litellm

    litellm.telemetry = False
    litellm.suppress_debug_info = True
    # Otherwise litellm repeats a call without a rejected parameter, and that call is not counted.
    litellm.drop_params = False
    litellm.disable_aiohttp_transport = True
    if not os.environ.get("LITELLM_LOG"):
        logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)
    return litellm


def _on_loop(function: Any, arguments: Mapping[str, Any], timeout_s: float) -> Any:
    """Call a coroutine function, and cancel it when its time is over or this thread is interrupted."""

    async def limited() -> Any:
        # The client library's own limit starts again with each piece of an answer.
        return await asyncio.wait_for(function(**arguments), timeout_s)

    future = asyncio.run_coroutine_threadsafe(limited(), _loop())
    try:
        return future.result()
    finally:
        future.cancel()


def _loop() -> asyncio.AbstractEventLoop:
    # A forked process has this one's loop, but not its thread.
    with _LOCK:
        if os.getpid() not in _LOOPS:
            loop = _LOOPS[os.getpid()] = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="schedcp-llm", daemon=True).start()
        return _LOOPS[os.getpid()]
