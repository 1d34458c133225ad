"""How long to wait before the next attempt."""

import datetime
import email.utils
import random
from collections.abc import Mapping

from schedcp_gym.llm.config import LlmConfig


def wait_s(config: LlmConfig, request_sha256: str, attempt: int, retry_after_s: float | None) -> float:
    """Host seconds to wait after a failed attempt.

    It doubles from attempt to attempt, and a part of it that is drawn by request and seed is left out, so that many
    callers don't come back at once. A server that says when it wants to be asked again is not asked earlier.
    """
    draw = random.Random(f"{config.seed} {request_sha256} {attempt}").random()
    wait = min(config.backoff_max_s, config.backoff_s * 2.0 ** (attempt - 1)) * (0.5 + draw / 2)
    return (
        wait if retry_after_s is None else max(wait, retry_after_s + draw * min(config.backoff_s, 0.1 * retry_after_s))
    )


def retry_after_s(headers: Mapping[str, str], now: datetime.datetime) -> float | None:
    """Seconds that a response's headers ask for; None where they say nothing one can read."""
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
