"""Outcomes of a call, and the errors of calls without an answer."""

import enum

from schedcp_gym.spec import SchedcpError


class CallOutcome(enum.StrEnum):
    """The outcome of one attempt. The first five are answers."""

    OK = "ok"
    CUT_OFF = "cut_off"  # the answer reached its limit of tokens
    REFUSED = "refused"  # the model, or its provider's filter, refuses to answer
    EMPTY = "empty"  # neither text nor a tool call
    MALFORMED = "malformed"  # not the JSON or the tool calls that were asked for
    TIMEOUT = "timeout"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    UNREACHABLE = "unreachable"  # no connection
    BROKEN = "broken"  # the connection was lost in an answer, or the answer is not of the protocol
    QUOTA_SPENT = "quota_spent"
    AUTH_FAILED = "auth_failed"
    UNKNOWN_MODEL = "unknown_model"
    TOO_LONG = "too_long"  # the prompt is longer than the model's context
    BAD_REQUEST = "bad_request"
    INTERRUPTED = "interrupted"  # this process ended during the attempt


#: Outcomes after which another attempt may help.
RETRYABLE = frozenset(
    {
        CallOutcome.TIMEOUT,
        CallOutcome.RATE_LIMITED,
        CallOutcome.SERVER_ERROR,
        CallOutcome.UNREACHABLE,
        CallOutcome.BROKEN,
    }
)
#: Outcomes without an answer that the provider may have charged for.
MAYBE_CHARGED = frozenset({CallOutcome.TIMEOUT, CallOutcome.BROKEN, CallOutcome.INTERRUPTED})


class CallFailed(SchedcpError):
    """A call brought no answer; the text says what to do.

    Attributes:
        outcome: The outcome of its last attempt.
        retry_after_s: Seconds after which the server allows another attempt, if it said so.
    """

    def __init__(self, outcome: CallOutcome, text: str, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.outcome = outcome
        self.retry_after_s = retry_after_s


class LlmBudgetSpent(SchedcpError):
    """The next call could exceed a limit of the budget, so it was not made.

    Attributes:
        limit: The limit: a field of :class:`~schedcp_gym.llm.config.LlmBudget`.
    """

    def __init__(self, limit: str, text: str) -> None:
        super().__init__(text)
        self.limit = limit


class NotRecorded(SchedcpError):
    """A replayed transcript has no answer to this request."""
