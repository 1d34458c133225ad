"""What is asked, by the answer's schema and the tools on offer; and who of the rules answers."""

import json
from collections.abc import Callable
from typing import Any

from schedcp_gym.llm.providers import Answer, Prompt
from schedcp_gym.llm.providers._offline import (
    alone,
    execution,
    learning,
    mutation,
    observation,
    planning,
    profile,
    writing,
)
from schedcp_gym.llm.providers._offline.conversation import Conversation, read
from schedcp_gym.llm.providers._offline.fitting import fit

#: Tool calls, or the answer: a JSON value, or text where there is no schema.
Turn = list[tuple[str, dict[str, Any]]] | dict[str, Any] | str

#: By properties that an answer of the kind has; the first of which all are wanted.
_KINDS: tuple[tuple[frozenset[str], Callable[[Conversation], Any]], ...] = (
    (frozenset({"workload_class", "processes"}), observation.turn),
    (frozenset({"candidates"}), planning.turn),
    (frozenset({"attempts"}), execution.turn),
    (frozenset({"lessons"}), learning.turn),
    (frozenset({"source", "change"}), mutation.turn),
    (frozenset({"source"}), writing.turn),
)


def answer(prompt: Prompt) -> Answer:
    """The next tool calls, or the answer in the form that is asked for."""
    talk = read(prompt)
    turn = _turn(talk)
    if prompt.must_call and not isinstance(turn, list) and talk.tools:
        turn = _any_call(talk)
    if isinstance(turn, list):
        return Answer(calls=[(name, arguments) for name, arguments in turn])
    if talk.schema:
        value = turn if isinstance(turn, dict) else {}
        return Answer(json.dumps(fit(value, talk.schema), indent=1, ensure_ascii=False))
    return Answer(turn if isinstance(turn, str) else json.dumps(turn))


def _turn(talk: Conversation) -> Turn:
    for wanted, kind in _KINDS:
        if wanted <= talk.wants:
            return kind(talk)  # type: ignore[no-any-return]
    if talk.schema:
        return {}
    if talk.tools or talk.all_calls:
        return alone.turn(talk)
    return writing.text(talk)


def _any_call(talk: Conversation) -> Turn:
    """A call where one has to be made and nothing is left to do: of the tool that needs the fewest arguments."""
    name = min(talk.tools, key=lambda tool: (len(talk.required.get(tool, ())), tool))
    return [talk.call(name, workload=profile.workload_of(talk))]
