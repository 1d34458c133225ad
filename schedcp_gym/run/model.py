"""The language model's place in a run: opened for agents that use it, and what it took."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schedcp_gym.llm import CallEntry, CallFailed, CallOutcome, Client, Totals, totals, totals_by_role
from schedcp_gym.llm.providers import find_provider
from schedcp_gym.run.folder import LLM
from schedcp_gym.run.settings import LLM_LIMITS, RunBudget, Settings
from schedcp_gym.spec import BadInput


def open_client(settings: Settings, folder: Path, tell: Callable[[str], None]) -> Client:
    """The run's model, with its books in the run's folder.

    Raises:
        BadInput: It can't be asked: its key is not set, or its price is not known where dollars are limited.
    """
    client = Client(settings.llm, folder / LLM, settings.budget.llm, tell)
    if client.books.spent().calls:
        return client  # what was answered is in the transcript: the key may not be needed
    try:
        client.check()
    except CallFailed as error:
        if error.outcome is not CallOutcome.AUTH_FAILED:
            raise
        raise BadInput(f"{error}; or run without a model: llm=offline") from None
    return client


def spent_text(limit: str, budget: RunBudget) -> str:
    """Which limit of the language model's budget a run has come to, as the configuration names it."""
    name = f"budget.{LLM_LIMITS[limit]}"
    return f"the language model's budget ({name}={getattr(budget, LLM_LIMITS[limit])})"


def spent_so_far(client: Client) -> dict[str, Any]:
    """What the run's models have taken up to here, for its record; ``usd`` is None where a price is not known."""
    sums = client.books.so_far()
    names = ("calls", "prompt_tokens", "completion_tokens")
    return {**{name: getattr(sums, name) for name in names}, "usd": None if sums.unpriced else sums.usd}


@dataclass(frozen=True)
class Cost:
    """What a run's language models took.

    Attributes:
        models: As they are shown, in order of name.
        are_language_models: False if all are programs of our own.
        total: Of all calls.
        by_role: In order of role.
    """

    models: tuple[str, ...]
    are_language_models: bool
    total: Totals
    by_role: dict[str, Totals]

    def plain(self) -> dict[str, Any]:
        """As values that JSON has words for."""
        return {
            "models": list(self.models),
            "are_language_models": self.are_language_models,
            **_plain(self.total),
            "by_role": {role: _plain(sums) for role, sums in self.by_role.items()},
        }


def cost_of(calls: Sequence[CallEntry]) -> Cost | None:
    """Return what some calls took; None if there are none."""
    return total_cost(calls) if calls else None


def total_cost(calls: Sequence[CallEntry]) -> Cost:
    """Return what some calls took, or that none were made."""
    models = {call.model for call in calls}
    are_language_models = any(find_provider(model.partition("/")[0]) is None for model in models)
    return Cost(tuple(sorted(map(shown_as, models))), are_language_models, totals(calls), totals_by_role(calls))


def shown_as(model: str) -> str:
    """What output and leaderboard call a model: its name, unless it is a program of our own."""
    own = find_provider(model.partition("/")[0])
    return model if own is None else own.shown_as


def _plain(sums: Totals) -> dict[str, Any]:
    names = ("calls", "tokens", "prompt_tokens", "completion_tokens", "usd", "unpriced", "host_s")
    return {name: getattr(sums, name) for name in names}
