"""Configuration of a model: which one, how to ask it, and its limits."""

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

#: Parameters that the client sets itself, or that must not be in a file.
_NOT_A_PARAM = re.compile(
    r"(?i)key|secret|token$|password|authorization|headers|^(model|messages|tools|tool_choice|response_format|stream|n|"
    r"seed|temperature|max_tokens|max_completion_tokens|timeout|max_retries|num_retries|api_base|base_url|fallbacks)$"
)


def _check_model(model: str) -> str:
    provider, slash, name = model.partition("/")
    if not (provider and slash and name):
        raise ValueError("give provider/model, like anthropic/claude-sonnet-4-5, openai/gpt-5 or ollama_chat/qwen3")
    return model


def _check_api_base(url: str | None) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("give the server's URL, like http://localhost:8000/v1")
    if parts.username or parts.password or parts.query:
        raise ValueError("no user, password or query in the URL: keys come from the environment (api_key_env)")
    return url.rstrip("/")


def _check_params(params: dict[str, Any]) -> dict[str, Any]:
    for name in params:
        if _NOT_A_PARAM.search(name):
            raise ValueError(f"{name} can't be set here: another field of the configuration sets it, or it is a secret")
    return params


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Prices:
    """A model's prices, in dollars for a million tokens."""

    prompt_usd: float = Field(ge=0)
    completion_usd: float = Field(ge=0)

    def usd(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Return the price of one call in dollars."""
        return (prompt_tokens * self.prompt_usd + completion_tokens * self.completion_usd) / 1e6


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class LlmConfig:
    """A model and how to ask it. Keys are not part of it: a call reads them from the environment.

    Attributes:
        model: ``provider/model`` as litellm names it.
        api_base: URL of the server; None: the provider's own.
        api_key_env: Name of the environment variable with the key; None: the provider's usual one, or none at all if
            ``api_base`` is given, so that a key never goes to another server than its own.
        temperature: None: the model's own.
        max_tokens: Limit of an answer's tokens, including reasoning.
        timeout_s: Limit of an attempt's host seconds.
        retries: Attempts after the first, where another one may help.
        backoff_s: Wait before the second attempt; it doubles each time, less a random part.
        backoff_max_s: The longest such wait.
        retry_after_max_s: The longest wait that a server may ask for; if it asks for more, the call fails.
        seed: Sent to models that support it, and the seed of the waits' random part.
        json_schema: Send the schema of a structured answer also as ``response_format``, for servers that enforce it.
        params: Further parameters of the model by litellm's names, like ``reasoning_effort``.
        prices: Prices that replace litellm's table.
        replay: A transcript; all answers come from it.
    """

    model: Annotated[str, AfterValidator(_check_model)]
    api_base: Annotated[str | None, AfterValidator(_check_api_base)] = None
    api_key_env: str | None = Field(default=None, pattern=r"^[A-Z][A-Z0-9_]*$")
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int = Field(default=8192, ge=16)
    timeout_s: float = Field(default=300.0, gt=0)
    retries: int = Field(default=5, ge=0, le=20)
    backoff_s: float = Field(default=1.0, ge=0)
    backoff_max_s: float = Field(default=60.0, ge=0)
    retry_after_max_s: float = Field(default=120.0, ge=0)
    seed: int | None = Field(default=None, ge=0, le=2**31 - 1)
    json_schema: bool = False
    params: Annotated[dict[str, Any], AfterValidator(_check_params)] = Field(default_factory=dict)
    prices: Prices | None = None
    replay: str | None = None

    @property
    def provider(self) -> str:
        """The part of the model's name before the first slash."""
        return self.model.partition("/")[0]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class LlmBudget:
    """Limits for all calls of a run. A call that could exceed one is not made. None: no limit.

    Attributes:
        calls: Number of attempts, including failed ones.
        tokens: Tokens of prompts and answers together.
        usd: Dollars. The model's price must be known.
        host_s: Host seconds of calls and of waits between attempts, added up also where calls overlap.
    """

    calls: int | None = Field(default=None, ge=1)
    tokens: int | None = Field(default=None, ge=1)
    usd: float | None = Field(default=None, gt=0)
    host_s: float | None = Field(default=None, gt=0)
