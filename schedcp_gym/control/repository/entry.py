"""A record as a row of the table that is searched: its text, its words, and the facets it is filtered by."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import TypeAdapter

from schedcp_gym.control.repository.card import read_card
from schedcp_gym.control.repository.classes import classes_of_card
from schedcp_gym.control.repository.records import (
    Antipattern,
    Kind,
    PolicyRecord,
    Primitive,
    ResultRecord,
    Searchable,
    Status,
)
from schedcp_gym.control.repository.words import vocabulary

#: In a facet: any.
ANY = "*"
#: How often the words of a text's parts count: what a policy is good for says more than how it works.
TITLE_TIMES, GOOD_TIMES = 2, 3
_ADAPTERS: dict[str, TypeAdapter[Any]] = {
    "policy": TypeAdapter(PolicyRecord),
    "result": TypeAdapter(ResultRecord),
    "antipattern": TypeAdapter(Antipattern),
    "primitive": TypeAdapter(Primitive),
}


def body_of(record: Searchable | ResultRecord) -> str:
    """A record as one line of JSON."""
    return json.dumps(_ADAPTERS[record.kind].dump_python(record, mode="json"), ensure_ascii=False, sort_keys=True)


def record_of(body: str) -> Any:
    """The record of a line of JSON.

    Raises:
        ValueError: It is none (pydantic's ValidationError is one).
    """
    value = json.loads(body)
    if not isinstance(value, dict) or value.get("kind") not in _ADAPTERS:
        raise ValueError(f"kind: must be one of {', '.join(_ADAPTERS)}")
    return _ADAPTERS[value["kind"]].validate_python(value)


def text_of(record: Searchable) -> str:
    """What of a record is searched. A policy's bad sides are not in it: who asks for them wants another."""
    if isinstance(record, PolicyRecord):
        card = read_card(record.card)
        parts: list[object] = [record.name, *[card.title] * TITLE_TIMES, card.does, *[card.good] * GOOD_TIMES]
        parts += [*record.workloads, *record.values.values()]
    elif isinstance(record, Antipattern):
        parts = [record.name.replace("-", " "), record.failed_because, record.instead, record.policy, *record.workloads]
    else:
        parts = [record.name.replace("-", " "), *[record.title] * TITLE_TIMES, record.card, *record.used_by]
    return "\n\n".join(str(part) for part in parts if part)


def words_of(text: str) -> str:
    """A text's words for the keyword search."""
    return " ".join(vocabulary().words(text))


def facet(workload_class: str | None = None, machine: str | None = None, outcome: str | None = None) -> str:
    """What a filter looks for."""
    return "|".join((workload_class or ANY, machine or ANY, outcome or ANY))


def facets_of(record: Searchable) -> set[str]:
    """The facets that a record has by itself, without any results."""
    if isinstance(record, PolicyRecord):
        classes: Sequence[str] = record.classes or classes_of_card(record.card)
        return _facets(classes, record.machine, None)
    if isinstance(record, Antipattern):
        return _facets(record.classes, record.machine, record.outcome.value if record.outcome else None)
    return set()


def facets_of_result(result: ResultRecord) -> set[str]:
    """The facets that a result gives its policy."""
    return _facets((result.workload_class,), result.machine, result.outcome.value)


def _facets(classes: Iterable[str], machine: str | None, outcome: str | None) -> set[str]:
    return {
        facet(one, where, ended)
        for one in (*classes, None)
        for where in {machine or None, None}
        for ended in {outcome, None}
    }


def row_of(record: Searchable, family: str = "", facets: Iterable[str] = ()) -> dict[str, Any]:
    """A record as a row, without its vector.

    Args:
        record: What is stored.
        family: The oldest ancestor's name.
        facets: Those of its results.
    """
    text = text_of(record)
    return {
        "id": record.id,
        "kind": Kind(record.kind).value,
        "name": record.name,
        "family": family or record.name,
        "status": record.status.value if isinstance(record, PolicyRecord) else Status.LIBRARY.value,
        "facets": sorted({*facets_of(record), *facets}),
        "words": words_of(text),
        "text": text,
        "body": body_of(record),
    }
