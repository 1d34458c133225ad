"""Strict validation of answers, with exact errors."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from pydantic import TypeAdapter, ValidationError

from schedcp_gym.llm.chat import RawAnswer, Reply, Tool, ToolCall
from schedcp_gym.llm.errors import CallOutcome

T = TypeVar("T")

#: Reasoning of small models, where their server does not remove it from the text.
_THOUGHT = re.compile(r"\s*<think>.*?</think>", re.DOTALL)
_FENCE = re.compile(r"\s*```(?:json)?[ \t]*\n(.*?)\n?[ \t]*```\s*", re.DOTALL)
#: Limit of mistakes in one error: more rarely help.
_MISTAKES = 8
_SHOWN_CHARS = 80


class NotParsed(Exception):
    """An answer does not have the right form; the text is for the model."""


def read(raw: RawAnswer, tools: Sequence[Tool], answer: type[T] | None) -> Reply[T]:
    """Validate an answer, and extract what was asked for."""
    text = raw.message.get("content") or ""
    reply: Reply[T] = Reply(CallOutcome.OK, text, raw.message)

    def ended(outcome: CallOutcome, problem: str) -> Reply[T]:
        return Reply(outcome, text, raw.message, problem=problem)

    refusal = raw.message.get("refusal")
    if refusal or raw.finish_reason == "content_filter":
        return ended(CallOutcome.REFUSED, refusal or text or "the provider's filter has withheld the answer")
    if raw.finish_reason == "length":
        return ended(CallOutcome.CUT_OFF, "the answer was cut off at its limit of tokens")
    calls = raw.message.get("tool_calls") or ()
    if not calls and not text.strip():
        return ended(CallOutcome.EMPTY, "the answer has neither text nor a tool call")
    try:
        if calls:
            return Reply(CallOutcome.OK, text, raw.message, tool_calls=tuple(_tool_call(call, tools) for call in calls))
        return reply if answer is None else Reply(CallOutcome.OK, text, raw.message, parse_answer(text, answer))
    except NotParsed as problem:
        return ended(CallOutcome.MALFORMED, str(problem))


def parse_answer(text: str, model: type[T]) -> T:
    """Return a structured answer: one JSON value, bare or in one code fence, optionally after a ``<think>`` block.

    Raises:
        NotParsed: The text is something else.
    """
    thought = _THOUGHT.match(text)
    text = text[thought.end() :] if thought else text
    fenced = _FENCE.fullmatch(text)
    return _checked(_json(fenced[1] if fenced else text), model)


def parse_arguments(text: str, tool: Tool) -> Any:
    """Return the arguments of a tool call. An empty text means no arguments.

    Raises:
        NotParsed: The tool does not accept them.
    """
    value = _json(text) if text.strip() else {}
    if not isinstance(value, dict):
        raise NotParsed(f"the arguments must be a JSON object, not {_shown(value)}")
    if isinstance(tool.arguments, Mapping):
        _check_schema(value, tool.arguments)
        return value
    return _checked(value, tool.arguments)


def tool_call_problem(call: Mapping[str, Any], tools: Sequence[Tool]) -> str:
    """Return what is wrong with a tool call; empty if nothing is."""
    try:
        _tool_call(call, tools)
    except NotParsed as problem:
        return str(problem)
    return ""


def _tool_call(call: Mapping[str, Any], tools: Sequence[Tool]) -> ToolCall:
    name = call["function"].get("name") or ""
    tool = next((tool for tool in tools if tool.name == name), None)
    if tool is None:
        offered = ", ".join(tool.name for tool in tools) or "none"
        raise NotParsed(f"there is no tool {name!r}; there are: {offered}")
    try:
        arguments = parse_arguments(call["function"].get("arguments") or "", tool)
    except NotParsed as problem:
        raise NotParsed(f"{name}: {problem}") from None
    return ToolCall(call["id"], name, arguments)


def _json(text: str) -> Any:
    def no_constant(name: str) -> NoReturn:
        raise NotParsed(f"{name} is not JSON; use null or leave it out")

    def no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            names = [name for name, _ in pairs]
            raise NotParsed(f"the key {next(n for n in names if names.count(n) > 1)!r} is there twice")
        return values

    def finite(digits: str) -> float:
        if math.isinf(float(digits)):
            raise NotParsed(f"the number {_short(digits)} is too large")
        return float(digits)

    try:
        return json.loads(text, parse_constant=no_constant, parse_float=finite, object_pairs_hook=no_twins)
    except RecursionError:
        raise NotParsed("too deeply nested") from None
    except ValueError as error:
        if not isinstance(error, json.JSONDecodeError):
            raise NotParsed(f"not valid JSON: {error}") from None
        near = text[max(0, error.pos - 20) : error.pos + 20]
        place = f"line {error.lineno}, column {error.colno}"
        raise NotParsed(f"not valid JSON: {error.msg} at {place}, near {near!r}") from None


def _checked(value: Any, model: type[T]) -> T:
    try:
        # Through text: only there does strict mode accept a list for a tuple and a word for an enum.
        return TypeAdapter(model).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        mistakes = error.errors(include_url=False)
        lines = [f"{_path(m['loc'])}: {m['msg']} (got {_shown(m['input'])})" for m in mistakes[:_MISTAKES]]
        _raise_mistakes(lines, len(mistakes))


def _check_schema(value: Any, schema: Mapping[str, Any]) -> None:
    import jsonschema

    validator = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)(schema)
    mistakes = sorted(validator.iter_errors(value), key=lambda mistake: [str(step) for step in mistake.absolute_path])
    if mistakes:
        lines = [f"{_path(m.absolute_path)}: {_short(m.message)}" for m in mistakes[:_MISTAKES]]
        _raise_mistakes(lines, len(mistakes))


def _raise_mistakes(lines: list[str], total: int) -> NoReturn:
    more = [f"… and {total - len(lines)} more"] if total > len(lines) else []
    raise NotParsed("; ".join(lines + more))


def _path(steps: Sequence[Any]) -> str:
    return ".".join(map(str, steps)) or "the whole"


def _shown(value: Any) -> str:
    return _short(json.dumps(value, default=str))


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 1]}…"
