"""Waits between attempts."""

import datetime
import email.utils
import random
from collections.abc import Mapping

from schedcp_gym.llm.config import LlmConfig


def wait_s(config: LlmConfig, request_sha256: str, attempt: int, retry_after_s: float | None) -> float:
    """Return the host seconds to wait after a failed attempt.

    The wait doubles with each attempt. A random part of it, drawn from request and seed, is left out, so that many
    callers do not ask again at the same time. If the server says when to ask again, the wait is at least that long.
    """
    draw = random.Random(f"{config.seed} {request_sha256} {attempt}").random()
    wait = min(config.backoff_max_s, config.backoff_s * 2.0 ** (attempt - 1)) * (0.5 + draw / 2)
    return (
        wait if retry_after_s is None else max(wait, retry_after_s + draw * min(config.backoff_s, 0.1 * retry_after_s))
    )


def retry_after_s(headers: Mapping[str, str], now: datetime.datetime) -> float | None:
    """Return the seconds that a response's headers ask for; None if they ask for none."""
    if milliseconds := _number(headers.get("retry-after-ms", "")):
        return milliseconds / 1000
    text = headers.get("retry-after", "")
    seconds = _number(text)
    if seconds is not None or not text:
        return seconds
    try:
        then = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (then.replace(tzinfo=then.tzinfo or datetime.UTC) - now).total_seconds())


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None
