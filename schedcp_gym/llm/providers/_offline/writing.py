"""A source for whoever asks for one without tools: a template, filled in from the prompt; after a report, mended."""

import re
from collections.abc import Mapping
from typing import Any

from schedcp_gym.llm.providers._offline import profile, propose, repair, ruleset
from schedcp_gym.llm.providers._offline.conversation import Conversation, code_blocks
from schedcp_gym.llm.providers._offline.facts import Facts
from schedcp_gym.llm.providers._offline.library import tunables_of
from schedcp_gym.llm.providers._offline.write import compose

_FAULT = re.compile(r"error|reject|eject|refus|fail|timeout|stall", re.IGNORECASE)
#: Factors by which samples of one prompt differ from one another.
SPREAD = (1.0, 2.0, 0.5, 4.0)


def turn(talk: Conversation) -> dict[str, Any]:
    """The source, and what else the schema has a place for."""
    before = _last_source(talk)
    if before and _FAULT.search(talk.told[-1]):
        mended = repair.mend(before, talk.told[-1])
        if mended != before:
            return {"source": mended, "reason": ruleset.load("words")["writing"]["mended"]}
    return _fresh(talk, other=bool(before))


def text(talk: Conversation) -> str:
    """The same as free text: a sentence and a block of code."""
    written = turn(talk)
    return f"{written['reason']}\n\n```c\n{written['source']}```"


def told_ideas(facts: Facts, talk: Conversation) -> list[propose.Proposal]:
    """Policies by template that use nothing but what the prompt tells of.

    Headers of the house are known from there or not at all.
    """
    return [one for one in propose.written(facts) if _is_told(one.writes, talk)]


def _fresh(talk: Conversation, *, other: bool) -> dict[str, Any]:
    """A policy by template. Samples differ: in the idea where there are several, then in its values."""
    facts = profile.facts_of(talk)
    ideas = told_ideas(facts, talk) or [one for one in propose.written(facts) if one.writes == "line_in_one_go"]
    turn = talk.draw + (len(talk.said) if other else 0)
    idea = ideas[turn % len(ideas)]
    factor = SPREAD[turn // len(ideas) % len(SPREAD)]
    source = compose(idea.writes, facts)
    values: dict[str, Any] = {}
    for tunable in tunables_of(source):
        if tunable.name in idea.values and isinstance(idea.values[tunable.name], str):
            values[tunable.name] = idea.values[tunable.name]
        elif re.search(r"slice|turn", tunable.name) and factor != 1.0:
            values[tunable.name] = tunable.inside(float(tunable.default) * factor)
    if "tunables" not in talk.wants:
        source = _as_defaults(source, values)
    return {"source": source, "tunables": values, "reason": idea.why}


def _is_told(template: str, talk: Conversation) -> bool:
    told = "\n".join(talk.told)
    headers = re.findall(r"#include <(schedcp/[\w.]+)>", ruleset.template(template))
    return all(header in told for header in headers)


def _as_defaults(source: str, values: Mapping[str, Any]) -> str:
    from schedcp_gym.llm.providers._offline.write import set_default

    for name, value in values.items():
        if isinstance(value, int):
            source = set_default(source, name, value)
    return source


def _last_source(talk: Conversation) -> str:
    """The source that was answered last, as JSON or in a block of code."""
    import json

    for said in reversed(talk.said):
        try:
            value = json.loads(said)
        except ValueError:
            value = None
        if isinstance(value, Mapping) and value.get("source"):
            return str(value["source"])
        for block in code_blocks(said):
            if "#include" in block:
                return block if block.endswith("\n") else f"{block}\n"
    return ""
