"""Counting the tokens of a text, and cutting a text to a number of tokens."""

import functools
import importlib.util
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schedcp_gym.llm.chat import DATA

if TYPE_CHECKING:
    import tiktoken

#: Tokens of a message beside its text: role and marks.
_MESSAGE_TOKENS = 4
#: Share of the beginning in a cut text; the rest is its end.
_HEAD_SHARE = 0.75


def count(text: str) -> int:
    """Return the tokens of a text in the ``cl100k_base`` vocabulary; other models differ by some per cent."""
    return len(_encoding().encode(text, disallowed_special=()))


def count_request(messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = ()) -> int:
    """Return the tokens of a prompt: its messages without their data, and its tools."""
    total = sum(_MESSAGE_TOKENS + _message_tokens(message) for message in messages)
    return total + (count(json.dumps(list(tools))) if tools else 0)


def cut(text: str, limit: int) -> str:
    """Return a text of at most ``limit`` tokens: its beginning and end, and between them the size of what is left out.

    Args:
        text: Any text.
        limit: Limit of tokens, at least 32.
    """
    # A token has at least one byte, so most texts need no count; and a huge text is not counted to its end.
    if len(text.encode(errors="replace")) <= limit or (len(text) <= 64 * limit and count(text) <= limit):
        return text
    room = limit - 16
    # A token is rarely longer than 64 bytes, so what is cut here would not fit anyway.
    head = _encoding().encode(text[: 64 * limit], disallowed_special=())[: int(room * _HEAD_SHARE)]
    tail = _encoding().encode(text[-64 * limit :], disallowed_special=())[len(head) - room :]
    begin, end = (_encoding().decode(part, errors="ignore") for part in (head, tail))
    return f"{begin}\n[… {len(text) - len(begin) - len(end)} characters left out …]\n{end}"


def _message_tokens(message: Mapping[str, Any]) -> int:
    content = message.get("content") or ""
    rest = {key: value for key, value in message.items() if key not in ("role", "content", DATA) and value}
    return count(content if isinstance(content, str) else json.dumps(content)) + (
        count(json.dumps(rest)) if rest else 0
    )


@functools.cache
def _encoding() -> "tiktoken.Encoding":
    # tiktoken downloads the vocabulary; litellm contains a copy, but its import is too slow for this purpose.
    package = importlib.util.find_spec("litellm")
    if package and package.origin:
        bundled = Path(package.origin).parent / "litellm_core_utils" / "tokenizers"
        os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(bundled))
    import tiktoken

    return tiktoken.get_encoding("cl100k_base")
