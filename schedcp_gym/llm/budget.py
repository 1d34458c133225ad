"""The check before a call: it is made only if it cannot exceed any limit."""

import math
from dataclasses import dataclass

from schedcp_gym.llm.config import LlmBudget, Prices
from schedcp_gym.llm.errors import LlmBudgetSpent
from schedcp_gym.llm.ledger import Totals

#: A smaller limit would only cut the answer off, and still cost money.
LEAST_ANSWER_TOKENS = 256
#: An attempt with less time would only time out.
_LEAST_CALL_S = 0.1


@dataclass(frozen=True)
class Request:
    """The demand of a call.

    Attributes:
        prompt_tokens: Estimated maximum of the prompt's tokens.
        max_tokens: Limit of the answer's tokens.
        timeout_s: Host seconds of the attempt.
        prices: None if they are not known.
    """

    prompt_tokens: int
    max_tokens: int
    timeout_s: float
    prices: Prices | None


@dataclass(frozen=True)
class Allowance:
    """The allowance of a call.

    Attributes:
        max_tokens: Limit of the answer's tokens.
        timeout_s: Host seconds of the attempt.
        usd: Maximum cost in dollars; None if prices are not known.
        is_full: Whether it is all that was asked for.
    """

    max_tokens: int
    timeout_s: float
    usd: float | None
    is_full: bool


def allow(budget: LlmBudget, spent: Totals, request: Request) -> Allowance:
    """Return the part of a request that the budget covers.

    Args:
        budget: The limits.
        spent: All calls so far; calls in progress count with their maximum.
        request: What is asked for.

    Raises:
        LlmBudgetSpent: The budget covers too little for a useful answer.
    """
    if budget.calls is not None and spent.calls >= budget.calls:
        raise _stop("calls", f"{spent.calls} calls are made", budget.calls)
    timeout_s = request.timeout_s
    if budget.host_s is not None:
        timeout_s = min(timeout_s, budget.host_s - spent.host_s)
        if timeout_s < min(_LEAST_CALL_S, request.timeout_s):
            raise _stop("host_s", f"{spent.host_s:.1f} s are spent", budget.host_s)
    least = min(LEAST_ANSWER_TOKENS, request.max_tokens)
    max_tokens = request.max_tokens
    if budget.tokens is not None:
        max_tokens = min(max_tokens, budget.tokens - spent.tokens - request.prompt_tokens)
        if max_tokens < least:
            need = f"{spent.tokens} tokens are spent, and the next prompt has about {request.prompt_tokens}"
            raise _stop("tokens", need, budget.tokens)
    if budget.usd is not None and request.prices is not None:
        max_tokens = min(max_tokens, _tokens_for(budget.usd - spent.usd, request.prompt_tokens, request.prices))
        if max_tokens < least:
            raise _stop("usd", f"${spent.usd:.4f} are spent, and the next call could pass the limit", budget.usd)
    usd = None if request.prices is None else request.prices.usd(request.prompt_tokens, max_tokens)
    is_full = max_tokens == request.max_tokens and timeout_s == request.timeout_s
    return Allowance(max_tokens, timeout_s, usd, is_full)


def allow_wait(budget: LlmBudget, spent: Totals, wait_s: float) -> None:
    """Check that there is time for a wait and another attempt.

    Raises:
        LlmBudgetSpent: There is not.
    """
    if budget.host_s is not None and spent.host_s + wait_s + _LEAST_CALL_S > budget.host_s:
        need = f"{spent.host_s:.1f} s are spent, and the next attempt would have to wait {wait_s:.1f} s"
        raise _stop("host_s", need, budget.host_s)


def _tokens_for(usd: float, prompt_tokens: int, prices: Prices) -> int:
    left = usd - prices.usd(prompt_tokens, 0)
    if left < 0:
        return -1
    if prices.completion_usd == 0:
        return 2**62
    # The quotient may round up to one token too many.
    tokens = math.floor(left * 1e6 / prices.completion_usd)
    return tokens if prices.usd(prompt_tokens, tokens) <= usd else tokens - 1


def _stop(limit: str, need: str, value: float) -> LlmBudgetSpent:
    return LlmBudgetSpent(limit, f"the budget of the language model is spent: {need}, of {value:g}; raise {limit}")
