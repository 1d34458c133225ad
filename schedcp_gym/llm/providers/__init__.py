"""Models that are programs of our own: each file here is a provider, called through litellm like any other.

``<name>.py`` with a ``PROVIDER`` answers to every model ``<name>/…``. It sees what a model would see, and nothing else.
"""

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from schedcp_gym.spec import BadInput


@dataclass(frozen=True)
class Prompt:
    """What a model is given.

    Attributes:
        model: What comes after ``<name>/``.
        messages: The conversation, in the form of OpenAI's chat protocol.
        tools: The tools it may call, in the same form; empty where calls are not allowed.
        must_call: Its answer has to be a tool call.
        max_tokens: Of the answer.
        seed: For whatever it draws.
    """

    model: str
    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]]
    must_call: bool
    max_tokens: int
    seed: int | None


@dataclass(frozen=True)
class Answer:
    """Text, or tool calls as (name, arguments), or both."""

    text: str = ""
    calls: Sequence[tuple[str, Mapping[str, Any]]] = field(default_factory=tuple)


class Provider(Protocol):
    """A program that answers like a model. Same prompt, same answer."""

    #: What output and leaderboard call it.
    shown_as: str

    def answer(self, prompt: Prompt) -> Answer:
        """Answers."""
        ...


def provider_names() -> list[str]:
    """Names of all providers of our own, sorted; nothing of them is imported."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def find_provider(name: str) -> Provider | None:
    """The provider of that name; None if it is not one of ours.

    Raises:
        BadInput: Its file has no ``PROVIDER``.
    """
    if name not in provider_names():
        return None
    found: Provider | None = getattr(importlib.import_module(f"{__name__}.{name}"), "PROVIDER", None)
    if found is None:
        raise BadInput(f"schedcp_gym/llm/providers/{name}.py has no PROVIDER")
    return found
