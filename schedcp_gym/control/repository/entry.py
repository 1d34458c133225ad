"""Rows of the table that is searched: a record's text, and the facets that filters look for."""

import functools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
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
from schedcp_gym.spec.digest import digest

#: Stands for "any" in a facet.
ANY = "*"
#: How often the words of a card's parts count: what a policy is good for says more than how it works.
TITLE_TIMES, GOOD_TIMES = 2, 3
_KEYWORDS = Path(__file__).with_name("keywords.yaml")
#: Is raised when `text_of` changes.
_VERSION = 1
_ADAPTERS: dict[str, TypeAdapter[Any]] = {
    "policy": TypeAdapter(PolicyRecord),
    "result": TypeAdapter(ResultRecord),
    "antipattern": TypeAdapter(Antipattern),
    "primitive": TypeAdapter(Primitive),
}


def body_of(record: Searchable | ResultRecord) -> str:
    """Return a record as one line of JSON."""
    return json.dumps(_ADAPTERS[record.kind].dump_python(record, mode="json"), ensure_ascii=False, sort_keys=True)


def record_of(body: str) -> Any:
    """Return the record of a line of JSON.

    Raises:
        ValueError: The line is not a record (pydantic's ValidationError is a ValueError).
    """
    value = json.loads(body)
    if not isinstance(value, dict) or value.get("kind") not in _ADAPTERS:
        raise ValueError(f"kind: must be one of {', '.join(_ADAPTERS)}")
    return _ADAPTERS[value["kind"]].validate_python(value)


@functools.cache
def keywords() -> dict[str, list[str]]:
    """Return the words that policies of the library are also found by, as ``keywords.yaml`` declares them."""
    declared: dict[str, list[str]] = yaml.safe_load(_KEYWORDS.read_text())
    return declared


def text_version() -> str:
    """Return a digest that changes when :func:`text_of` gives other texts for the same records."""
    return digest([_VERSION, keywords()])[:16]


def text_of(record: Searchable, family: str = "") -> str:
    """Return the text in which a search looks for words.

    The bad sides of a policy are not part of it: a person who asks for them wants another policy.

    Args:
        record: The record.
        family: The oldest ancestor's name. A policy is found by its ancestor's keywords, too.
    """
    if isinstance(record, PolicyRecord):
        card = read_card(record.card)
        parts: list[object] = [record.name, *[card.title] * TITLE_TIMES, card.does, *[card.good] * GOOD_TIMES]
        parts += [*record.workloads, *record.values.values(), ", ".join(keywords().get(family or record.name, ()))]
    elif isinstance(record, Antipattern):
        parts = [record.name.replace("-", " "), record.failed_because, record.instead, record.policy, *record.workloads]
    else:
        parts = [record.name.replace("-", " "), *[record.title] * TITLE_TIMES, record.card, *record.used_by]
    return "\n\n".join(str(part) for part in parts if part)


def facet(workload_class: str | None = None, machine: str | None = None, outcome: str | None = None) -> str:
    """Return what a filter looks for, such as ``batch|*|ok``; None stands for any."""
    return "|".join((workload_class or ANY, machine or ANY, outcome or ANY))


def facets_of(record: Searchable) -> set[str]:
    """Return the facets of a record without any results."""
    if isinstance(record, PolicyRecord):
        classes: Sequence[str] = record.classes or classes_of_card(record.card)
        return _facets(classes, record.machine, None)
    if isinstance(record, Antipattern):
        return _facets(record.classes, record.machine, record.outcome.value if record.outcome else None)
    return set()


def facets_of_result(result: ResultRecord) -> set[str]:
    """Return the facets that a result adds to its policy."""
    return _facets((result.workload_class,), result.machine, result.outcome.value)


def _facets(classes: Iterable[str], machine: str | None, outcome: str | None) -> set[str]:
    return {
        facet(one, where, ended)
        for one in (*classes, None)
        for where in {machine or None, None}
        for ended in {outcome, None}
    }


def row_of(record: Searchable, family: str = "", facets: Iterable[str] = ()) -> dict[str, Any]:
    """Return a record as a row, without its vector.

    Args:
        record: The record.
        family: The oldest ancestor's name; by default the record's own.
        facets: Facets of its results.
    """
    return {
        "id": record.id,
        "kind": Kind(record.kind).value,
        "name": record.name,
        "family": family or record.name,
        "status": record.status.value if isinstance(record, PolicyRecord) else Status.LIBRARY.value,
        "facets": sorted({*facets_of(record), *facets}),
        "text": text_of(record, family),
        "body": body_of(record),
    }
