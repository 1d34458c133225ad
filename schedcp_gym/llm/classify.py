"""Conversion of litellm's exceptions into errors that say what happened and what to do."""

import datetime
import json
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from schedcp_gym.llm.backoff import retry_after_s
from schedcp_gym.llm.config import LlmConfig
from schedcp_gym.llm.errors import CallFailed, CallOutcome
from schedcp_gym.llm.scrub import scrub

if TYPE_CHECKING:
    import httpx

_WORDS_CHARS = 200

_QUOTA = re.compile(r"(?i)insufficient[_ ]quota|exceeded your current quota|credit balance|billing|payment required")
_COMES_BACK = re.compile(r"(?i)retry[_ ]?(in|after|delay)|per[ _]?minute")
_REFUSED = re.compile(r"(?i)content[_ ](policy|filter)|safety system|responsible ai")
_TOO_LONG = re.compile(r"(?i)context[_ ]length|context window|maximum context|prompt is too long|too many tokens")
_NO_MODEL = re.compile(
    r"(?i)model[_ ]not[_ ]found|model\W.{0,80}(does not exist|not found|not supported)|unknown model"
)
_NO_PROVIDER = re.compile(r"LLM Provider NOT provided")
_BAD_KEY = re.compile(
    r"(?i)(invalid|incorrect|missing|no)( \w+)? (x-)?api[-_ ]?key|api[_ ]key.{0,40}(must be set|not valid|invalid)"
)
_BY_STATUS = {
    401: CallOutcome.AUTH_FAILED,
    402: CallOutcome.QUOTA_SPENT,
    403: CallOutcome.AUTH_FAILED,
    404: CallOutcome.UNKNOWN_MODEL,
    408: CallOutcome.TIMEOUT,
    409: CallOutcome.SERVER_ERROR,
    413: CallOutcome.TOO_LONG,
    425: CallOutcome.SERVER_ERROR,
    429: CallOutcome.RATE_LIMITED,
}


def failure(error: BaseException, config: LlmConfig, timeout_s: float, missing_keys: list[str]) -> CallFailed:
    """Return the error for the user, from the exception of a call.

    Args:
        error: The exception.
        config: The model.
        timeout_s: Host seconds of the attempt.
        missing_keys: Environment variables that litellm did not find.
    """
    response = _response(error)
    words = _words(error, response)
    outcome = _outcome(error, response, words)
    after_s = None if response is None else retry_after_s(response.headers, datetime.datetime.now(datetime.UTC))
    return CallFailed(outcome, _text(outcome, config, words, timeout_s, missing_keys), after_s)


def no_key(config: LlmConfig, names: list[str]) -> CallFailed:
    """Return the error for a missing key."""
    return CallFailed(
        CallOutcome.AUTH_FAILED, f"{config.model}: there is no key: set {' or '.join(names)} in the environment"
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    here: BaseException | None = error
    while here is not None and id(here) not in seen:
        seen.add(id(here))
        yield here
        here = here.__cause__ or here.__context__


def _response(error: BaseException) -> "httpx.Response | None":
    """Return the server's response. litellm invents one where there was none, without headers: that one is ignored."""
    import httpx

    for link in _chain(error):
        response = getattr(link, "response", None)
        if isinstance(response, httpx.Response) and response.headers:
            return response
    return None


def _outcome(error: BaseException, response: "httpx.Response | None", words: str) -> CallOutcome:
    import httpx
    from litellm import exceptions

    chain = list(_chain(error))
    if response is None:
        if any(isinstance(link, (httpx.ConnectError, httpx.ConnectTimeout, ConnectionRefusedError)) for link in chain):
            return CallOutcome.UNREACHABLE
        if any(isinstance(link, (TimeoutError, httpx.TimeoutException, exceptions.Timeout)) for link in chain):
            return CallOutcome.TIMEOUT
        if any(isinstance(link, httpx.TransportError) for link in chain):
            return CallOutcome.BROKEN
    if response is None or response.status_code < 500:
        by_words = _by_words(error, response, words)
        if by_words is not None:
            return by_words
    if response is None and any(isinstance(link, (json.JSONDecodeError, UnicodeDecodeError)) for link in chain):
        return CallOutcome.BROKEN
    if response is not None and response.status_code < 300:
        return CallOutcome.BROKEN
    status = response.status_code if response is not None else getattr(error, "status_code", None)
    if response is None and isinstance(error, exceptions.InternalServerError):
        return CallOutcome.BROKEN
    if response is None and isinstance(error, exceptions.APIConnectionError):
        # litellm uses it for all unexpected errors: another attempt would not help.
        return CallOutcome.BAD_REQUEST
    if not isinstance(status, int):
        return CallOutcome.BAD_REQUEST
    return CallOutcome.SERVER_ERROR if status >= 500 else _BY_STATUS.get(status, CallOutcome.BAD_REQUEST)


def _by_words(error: BaseException, response: "httpx.Response | None", words: str) -> CallOutcome | None:
    from litellm import exceptions

    if isinstance(error, exceptions.ContentPolicyViolationError) or _REFUSED.search(words):
        return CallOutcome.REFUSED
    # Some providers also call a limit per minute a quota, and say when to try again.
    comes_back = response is not None and (_COMES_BACK.search(response.text) or "retry-after" in response.headers)
    if _QUOTA.search(words) and not comes_back:
        return CallOutcome.QUOTA_SPENT
    if isinstance(error, exceptions.ContextWindowExceededError) or _TOO_LONG.search(words):
        return CallOutcome.TOO_LONG
    if _NO_PROVIDER.search(words) or _NO_MODEL.search(words):
        return CallOutcome.UNKNOWN_MODEL
    return CallOutcome.AUTH_FAILED if _BAD_KEY.search(words) else None


def _words(error: BaseException, response: "httpx.Response | None") -> str:
    """Return the server's message in one line, without secrets."""
    text = str(error)
    if response is not None:
        try:
            told = response.json()
            told = told.get("error", told)
            text = " ".join(str(told[key]) for key in ("message", "code") if told.get(key)) or text
        except (ValueError, AttributeError, KeyError, RuntimeError):
            pass
    text = text.partition("Traceback (most recent call last)")[0]
    text = re.sub(r"^(litellm\.)?(\w+(Error|Exception): |\w*Exception - )+", "", " ".join(str(scrub(text)).split()))
    return text if len(text) <= _WORDS_CHARS else f"{text[: _WORDS_CHARS - 1]}…"


def _text(outcome: CallOutcome, config: LlmConfig, words: str, timeout_s: float, missing_keys: list[str]) -> str:
    model, where = config.model, config.api_base or f"the server of {config.provider}"
    key = config.api_key_env or " or ".join(missing_keys) or "the key's variable"
    how = f"set {key} in the environment"
    if config.api_base and not config.api_key_env:
        how = "set llm.api_key_env to the name of the environment variable with its key"
    said = f" ({words})" if words else ""
    texts = {
        CallOutcome.TIMEOUT: f"no answer within {timeout_s:g} s; raise llm.timeout_s or lower llm.max_tokens",
        CallOutcome.RATE_LIMITED: f"too many requests for this account{said}; raise llm.retries, or run less at once",
        CallOutcome.SERVER_ERROR: f"{where} has an internal error{said}; try again later",
        CallOutcome.UNREACHABLE: f"can't connect to {where}; is it running, and is llm.api_base right?",
        CallOutcome.BROKEN: f"{where} broke the connection or its answer is invalid{said}; is llm.api_base right?",
        CallOutcome.QUOTA_SPENT: f"the account has no credit left{said}; add some, or set another llm.model",
        CallOutcome.AUTH_FAILED: f"{where} does not accept the key{said}; {how}",
        CallOutcome.UNKNOWN_MODEL: f"{where} has no such model{said}; set llm.model (provider/model) or llm.api_base",
        CallOutcome.TOO_LONG: f"the prompt is too long for the model{said}; set an llm.model with a larger context",
        CallOutcome.BAD_REQUEST: f"{where} rejects this request{said}; see llm.params and llm.max_tokens",
        CallOutcome.REFUSED: f"the provider's filter refused the prompt{said}",
    }
    return f"{model}: {texts[outcome]}"


def key_of(config: LlmConfig, missing_keys: list[str]) -> str | None:
    """Return the key to send; with None, litellm finds the provider's usual one.

    Raises:
        CallFailed: There is no key.
    """
    if config.api_key_env:
        key = os.environ.get(config.api_key_env)
        if not key:
            raise no_key(config, [config.api_key_env])
        return key
    if config.api_base:
        # The usual key is only for the provider's own server. The client library requires a text.
        return "none"
    # Some providers have other ways to log in, which litellm handles.
    if missing_keys and all(name.endswith("_API_KEY") for name in missing_keys):
        raise no_key(config, missing_keys)
    return None
