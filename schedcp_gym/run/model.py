"""Open a run's language model, and sum up its costs."""

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
    """Return the run's language model. It writes its ledger and transcript into the run's folder.

    Raises:
        BadInput: Its key is not set, or its price is unknown although the budget limits dollars.
    """
    client = Client(settings.llm, folder / LLM, settings.budget.llm, tell)
    if client.books.spent().calls:
        return client  # a resumed run may only need answers of the transcript, without a key
    try:
        client.check()
    except CallFailed as error:
        if error.outcome is not CallOutcome.AUTH_FAILED:
            raise
        raise BadInput(f"{error}; or run without a model: llm=offline") from None
    return client


def spent_text(limit: str, budget: RunBudget) -> str:
    """Return the limit of the language model's budget that ended a run, as the configuration names it."""
    name = f"budget.{LLM_LIMITS[limit]}"
    return f"the language model's budget ({name}={getattr(budget, LLM_LIMITS[limit])})"


def spent_so_far(client: Client) -> dict[str, Any]:
    """Return the usage of language models up to this point of the run. ``usd`` is None if a price is unknown."""
    sums = client.books.so_far()
    names = ("calls", "prompt_tokens", "completion_tokens")
    return {**{name: getattr(sums, name) for name in names}, "usd": None if sums.unpriced else sums.usd}


@dataclass(frozen=True)
class Cost:
    """Costs of a run's language models.

    Attributes:
        models: Names of the models, sorted.
        are_language_models: False if all of them are programs of this package that stand in for a model.
        total: Totals of all calls.
        by_role: Totals of each role, sorted by role.
    """

    models: tuple[str, ...]
    are_language_models: bool
    total: Totals
    by_role: dict[str, Totals]

    def as_plain(self) -> dict[str, Any]:
        """Return the costs for JSON."""
        return {
            "models": list(self.models),
            "are_language_models": self.are_language_models,
            **_plain(self.total),
            "by_role": {role: _plain(sums) for role, sums in self.by_role.items()},
        }


def cost_of(calls: Sequence[CallEntry]) -> Cost | None:
    """Return the costs of some calls; None if there are none."""
    return total_cost(calls) if calls else None


def total_cost(calls: Sequence[CallEntry]) -> Cost:
    """Return the costs of some calls, which may be none."""
    models = {call.model for call in calls}
    are_language_models = any(find_provider(model.partition("/")[0]) is None for model in models)
    return Cost(tuple(sorted(map(shown_as, models))), are_language_models, totals(calls), totals_by_role(calls))


def shown_as(model: str) -> str:
    """Return the printed name of a model. Programs of this package that stand in for a model have another one."""
    own = find_provider(model.partition("/")[0])
    return model if own is None else own.shown_as


def _plain(sums: Totals) -> dict[str, Any]:
    names = ("calls", "tokens", "prompt_tokens", "completion_tokens", "usd", "unpriced", "host_s")
    return {name: getattr(sums, name) for name in names}
