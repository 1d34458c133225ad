"""Programs of our own that answer in a model's place. Each file here is a provider.

``<name>.py`` with a ``PROVIDER`` answers for every model ``<name>/…``.
"""

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from schedcp_gym.spec import BadInput


@dataclass(frozen=True)
class Prompt:
    """One question to a program.

    Attributes:
        role: The role that asks, such as ``planning``. The program gets it, too.
        model: The model's name after ``<provider>/``.
        messages: The conversation, in the form of OpenAI's chat protocol. Where a message has ``data``, that holds the
            plain values that its text was written from: a program reads these, never the text.
        tools: The tools that may be called, in the same form; empty where no call is allowed.
        max_tokens: Limit of the answer's tokens.
        seed: Seed of random choices.
    """

    role: str
    model: str
    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]]
    max_tokens: int
    seed: int | None


@dataclass(frozen=True)
class Answer:
    """Text, or tool calls as (name, arguments), or both."""

    text: str = ""
    calls: Sequence[tuple[str, Mapping[str, Any]]] = field(default_factory=tuple)


class Provider(Protocol):
    """A program that answers in a model's place. The same prompt gets the same answer."""

    #: Name in output and in the leaderboard.
    shown_as: str

    def answer(self, prompt: Prompt) -> Answer:
        """Return the answer to a prompt."""
        ...


def provider_names() -> list[str]:
    """Return the names of all providers of our own, sorted, without importing them."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def find_provider(name: str) -> Provider | None:
    """Return the provider of our own with that name; None if there is none.

    Raises:
        BadInput: The file has no ``PROVIDER``.
    """
    if name not in provider_names():
        return None
    found: Provider | None = getattr(importlib.import_module(f"{__name__}.{name}"), "PROVIDER", None)
    if found is None:
        raise BadInput(f"schedcp_gym/llm/providers/{name}.py has no PROVIDER")
    return found
