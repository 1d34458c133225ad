"""The client for language models: every question is budgeted, recorded and validated."""

import dataclasses
import json
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from schedcp_gym.llm import backoff, tokens
from schedcp_gym.llm.books import Books
from schedcp_gym.llm.chat import (
    Message,
    Question,
    RawAnswer,
    Reply,
    Tool,
    Usage,
    schema_of,
    system,
    tool_result,
    user,
    without_data,
)
from schedcp_gym.llm.config import LlmBudget, LlmConfig
from schedcp_gym.llm.errors import RETRYABLE, CallFailed, CallOutcome, LlmBudgetSpent, NotRecorded
from schedcp_gym.llm.ledger import CallEntry, unanswered
from schedcp_gym.llm.parse import read, tool_call_problem
from schedcp_gym.llm.prompting import prompt
from schedcp_gym.llm.providers import find_provider
from schedcp_gym.llm.scrub import scrub
from schedcp_gym.llm.transcript import Recorded
from schedcp_gym.spec import BadInput
from schedcp_gym.spec.digest import digest

if TYPE_CHECKING:
    from schedcp_gym.llm.own_program import OwnProgram
    from schedcp_gym.llm.transport import LiteLlm

    Transport = OwnProgram | LiteLlm

T = TypeVar("T")
#: Called with one line when a question is repeated.
Tell = Callable[[str], None]


class Client:
    """A client that asks one model on behalf of several roles. Safe for several threads.

    When a run is resumed in its folder, questions that were answered before get their answers from the transcript and
    cost nothing.

    Example:
        >>> client = Client(LlmConfig("anthropic/claude-sonnet-4-5"), Path("runs/mine/llm"), LlmBudget(usd=1.0))
        >>> client.chat("planner", [system("Be short."), user("What is EEVDF?")]).text
    """

    def __init__(
        self,
        config: LlmConfig,
        folder: Path,
        budget: LlmBudget | None = None,
        tell: Tell | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """Open ledger and transcript in ``folder``. Nothing is asked yet, and litellm is not imported.

        Args:
            config: The model.
            folder: Folder for ledger and transcript.
            budget: Limits for all calls in this folder; None: no limit.
            tell: Called with a line before waits and repairs.
            wait: Waits for a number of host seconds.

        Raises:
            BadInput: There is no such transcript to replay.
        """
        self.books = Books(folder, budget or LlmBudget())
        self._set_up(config, tell or (lambda _line: None), wait)

    def using(self, config: LlmConfig) -> "Client":
        """Return a client for another model, with the same ledger, transcript and budget."""
        other = object.__new__(Client)
        other.books = self.books
        other._set_up(config, self._tell, self._wait)
        return other

    def _set_up(self, config: LlmConfig, tell: Tell, wait: Callable[[float], None]) -> None:
        self.config = config
        self._tell = tell
        self._wait = wait
        self._transport: Transport | None = None
        self._lock = threading.Lock()
        if config.replay is not None:
            self.books.open_replay(config.replay)

    @property
    def shown_model(self) -> str:
        """The model's name in output and in the leaderboard."""
        own = find_provider(self.config.provider)
        return self.config.model if own is None else own.shown_as

    @property
    def is_language_model(self) -> bool:
        """Return whether it is a language model, and not a program of our own."""
        return find_provider(self.config.provider) is None

    def check(self) -> None:
        """Check what can be checked without a question: the key, and the price where dollars are limited.

        Raises:
            CallFailed: There is no key.
            BadInput: The provider does not exist, or has no price.
        """
        if self.config.replay is None:
            self._ready().check_key()

    def chat(
        self,
        role: str,
        messages: Sequence[Message],
        *,
        tools: Sequence[Tool] = (),
        answer: type[T] | None = None,
        tool_choice: str = "auto",
        max_tokens: int | None = None,
        sample: int = 0,
    ) -> Reply[T]:
        """Ask a question. If the answer does not have the form that was asked for, ask once more for a corrected one.

        Args:
            role: Who asks; the ledger adds up costs by role.
            messages: The conversation so far.
            tools: The tools that may be called.
            answer: A pydantic model or dataclass that the text must be JSON of; None: free text.
            tool_choice: ``auto``, ``required`` or ``none``.
            max_tokens: Limit of the answer's tokens; None: as configured.
            sample: Number of this answer among several independent ones to the same question.

        Raises:
            CallFailed: No attempt brought an answer.
            LlmBudgetSpent: The budget does not cover the call.
            NotRecorded: A transcript is replayed and has no answer to this question.
        """
        question: Question[T] = Question(tuple(messages), tuple(tools), answer, tool_choice, max_tokens, sample)
        reply = self._ask(role, question)
        if reply.outcome is not CallOutcome.MALFORMED:
            return reply
        self._tell(f"{role}: {self.shown_model} is asked to correct its answer: {reply.problem}")
        again = dataclasses.replace(question, messages=(*question.messages, *_repair(reply, question.tools)))
        return dataclasses.replace(self._ask(role, again), repaired=True)

    def _ask(self, role: str, question: Question[T]) -> Reply[T]:
        request = _request(self.config, role, question, own=not self.is_language_model)
        sha256 = digest({"model": self.config.model, **request, "sample": question.sample})
        recorded = self.books.take(sha256, self.config.replay)
        if self.config.replay or (recorded and recorded.answer):
            return read(_played(recorded, self.config.replay or "", role, sha256), question.tools, question.answer)
        try:
            return self._attempts(role, question, request, sha256)
        except LlmBudgetSpent as stop:
            self.books.stop(role, sha256, request, stop)
            raise

    def _attempts(self, role: str, question: Question[T], request: dict[str, Any], sha256: str) -> Reply[T]:
        transport = self._ready()
        counted = tokens.count_request(request["messages"], request.get("tools", ()))
        waited_s = 0.0
        for attempt in range(1, self.config.retries + 2):
            call = CallEntry(
                call=0,
                role=role,
                model=self.config.model,
                request_sha256=sha256,
                attempt=attempt,
                outcome=CallOutcome.INTERRUPTED,
                counted_tokens=counted,
                waited_s=waited_s,
            )
            try:
                return self._attempt(transport, question, request, call)
            except CallFailed as error:
                if attempt > self.config.retries or error.outcome not in RETRYABLE:
                    raise
                waited_s = self._back_off(sha256, attempt, error)
        raise AssertionError("the last attempt returns or raises")

    def _attempt(
        self, transport: "Transport", question: Question[T], request: dict[str, Any], call: CallEntry
    ) -> Reply[T]:
        asked_tokens = min(request["max_tokens"], transport.most_tokens or request["max_tokens"])
        begun, allowed = self.books.begin(call, asked_tokens, self.config.timeout_s, transport.prices)
        began = time.monotonic()
        try:
            raw = transport.send({**request, "max_tokens": allowed.max_tokens}, allowed.timeout_s)
        except CallFailed as error:
            entry = unanswered(begun, error.outcome, time.monotonic() - began)
            if error.outcome is CallOutcome.REFUSED:
                # The same outcome, whether the filter comes before the model or after it.
                raw = _refusal(self.config.model, str(error))
                self.books.end(entry, request, raw, str(error), final=True)
                return read(raw, question.tools, question.answer)
            is_last = call.attempt > self.config.retries or not self._may_retry(error)
            self.books.end(entry, request, None, str(error), final=is_last)
            raise
        except BaseException:
            entry = unanswered(begun, CallOutcome.INTERRUPTED, time.monotonic() - began)
            self.books.end(entry, request, None, "interrupted", final=False)
            raise
        # The caller gets what is saved, so that a resumed run gets the same.
        raw = dataclasses.replace(raw, message=scrub(raw.message))
        reply = read(raw, question.tools, question.answer)
        entry = _counted(begun, raw, reply.outcome, time.monotonic() - began, transport)
        self.books.end(entry, request, raw, reply.problem, final=True)
        return reply

    def _may_retry(self, error: CallFailed) -> bool:
        too_long = (error.retry_after_s or 0.0) > self.config.retry_after_max_s
        return error.outcome in RETRYABLE and not too_long

    def _back_off(self, sha256: str, attempt: int, error: CallFailed) -> float:
        if not self._may_retry(error):
            text = f"{error}; it asks for a wait of {error.retry_after_s:.0f} s, more than llm.retry_after_max_s"
            raise CallFailed(error.outcome, text, error.retry_after_s) from None
        wait_s = backoff.wait_s(self.config, sha256, attempt, error.retry_after_s)
        self.books.check_wait(wait_s)
        self._tell(f"attempt {attempt} failed; the next in {wait_s:.1f} s: {error}")
        self._wait(wait_s)
        return wait_s

    def _ready(self) -> "Transport":
        # Imported here: litellm takes two seconds, and a replay does not need it.
        with self._lock:
            if self._transport is None:
                transport = self._opened()
                if self.books.budget.usd is not None and transport.prices is None:
                    raise BadInput(
                        f"no price is known for {self.config.model}, so a limit in dollars can't be kept: "
                        "set llm.prices, or another limit than usd"
                    )
                self._transport = transport
            return self._transport

    def _opened(self) -> "Transport":
        if own := find_provider(self.config.provider):
            from schedcp_gym.llm.own_program import OwnProgram

            return OwnProgram(self.config, own)
        from schedcp_gym.llm.transport import LiteLlm

        return LiteLlm(self.config)


def _request(config: LlmConfig, role: str, question: Question[Any], *, own: bool) -> dict[str, Any]:
    """Return the request without secrets, and without what depends on the rest of the budget.

    Args:
        config: The model.
        role: Who asks.
        question: The question.
        own: Whether a program of our own answers: it gets the role, and the messages with their data.
    """
    messages = list(question.messages) if own else [without_data(message) for message in question.messages]
    request: dict[str, Any] = {"role": role} if own else {}
    if question.answer is not None:
        schema = schema_of(question.answer)
        told = prompt("answer_schema", schema=json.dumps(schema, indent=1))
        if messages and messages[0]["role"] == "system":
            messages[0] = system(f"{messages[0]['content']}\n\n{told}")
        else:
            messages.insert(0, system(told))
        if config.json_schema:
            named = {"name": question.answer.__name__, "schema": schema}
            request["response_format"] = {"type": "json_schema", "json_schema": named}
    request["messages"] = messages
    if question.tools:
        request["tools"] = [tool.wire() for tool in question.tools]
        request["tool_choice"] = question.tool_choice
    if config.temperature is not None:
        request["temperature"] = config.temperature
    if config.seed is not None:
        request["seed"] = config.seed + question.sample
    request["max_tokens"] = min(question.max_tokens or config.max_tokens, config.max_tokens)
    scrubbed: dict[str, Any] = scrub({**config.params, **request})
    return scrubbed


def _played(recorded: Recorded | None, replay: str, role: str, sha256: str) -> RawAnswer:
    if recorded and recorded.answer:
        return recorded.answer
    if recorded and recorded.stopped:
        raise LlmBudgetSpent(recorded.outcome, recorded.error)
    if recorded and recorded.outcome:
        raise CallFailed(CallOutcome(recorded.outcome), recorded.error)
    raise NotRecorded(
        f"{replay} has no (further) answer to this question of {role} (request {sha256[:12]}): prompts, tools or "
        "results differ from the recorded ones; set llm.replay=null to record again"
    )


def _refusal(model: str, text: str) -> RawAnswer:
    return RawAnswer({"role": "assistant", "content": None, "refusal": text}, "content_filter", model, Usage())


def _counted(
    begun: CallEntry, raw: RawAnswer, outcome: CallOutcome, host_s: float, transport: "Transport"
) -> CallEntry:
    usage, source = raw.usage, "usage"
    if usage.prompt_tokens is None:
        answer_tokens = tokens.count_request([raw.message])
        usd = None if transport.prices is None else transport.prices.usd(begun.counted_tokens, answer_tokens)
        usage, source = Usage(begun.counted_tokens, answer_tokens, None, usd), "estimate"
    return dataclasses.replace(
        begun,
        outcome=outcome,
        prompt_tokens=usage.prompt_tokens or 0,
        completion_tokens=usage.completion_tokens or 0,
        cached_tokens=usage.cached_tokens,
        usd=usage.usd,
        source=source,
        host_s=host_s,
    )


def _repair(reply: Reply[Any], tools: Sequence[Tool]) -> list[Message]:
    """Return the messages that ask for a correction: the malformed answer, and what is wrong with it."""
    calls = reply.message.get("tool_calls") or []
    if not calls:
        return [reply.message, user(prompt("repair_answer", problem=reply.problem))]
    echoed, results = [], []
    for call in calls:
        problem = tool_call_problem(call, tools)
        arguments = call["function"].get("arguments") or ""
        # Some providers only accept objects as the arguments of earlier calls.
        kept = arguments if _is_object(arguments) else "{}"
        echoed.append({**call, "function": {**call["function"], "arguments": kept}})
        told = prompt("repair_tool_call", problem=problem, arguments=tokens.cut(arguments, 2000))
        results.append(tool_result(call["id"], told if problem else prompt("repair_other_call")))
    return [{**reply.message, "tool_calls": echoed}, *results]


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
