"""Search in natural language: by the words of the texts and, if a model is configured, by vectors as well."""

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from schedcp_gym.control.repository.classes import check_class
from schedcp_gym.control.repository.entry import facet, record_of
from schedcp_gym.control.repository.records import Kind, Searchable, Status
from schedcp_gym.control.repository.store import ENTRIES, Store, quoted
from schedcp_gym.spec import BadInput, Outcome

MOST_HITS = 100
#: Rows that each way of search gives, and rows among which it looks for further families.
CANDIDATES = 100
NEAREST = 2000
QUERY_LIMIT = 2000
#: Most hits of one family while there are others, so that variants of one policy do not fill the answer.
PER_FAMILY = 2
#: Share of the vectors in a score; the words have the rest.
VECTOR_SHARE = 0.5
#: If no word of the query is found, words that differ in so many letters count, but the first ones must be the same.
WRONG_LETTERS, FIRST_LETTERS = 2, 3
#: Added to the score of a proven policy.
PROVEN_BONUS = 0.02
_COLUMNS = ["id", "family", "status"]


@dataclass(frozen=True)
class SearchHit:
    """An answer to a search.

    Attributes:
        record: The record that was found.
        score: From 0 to 1; comparable within one search only.
        vector: Cosine similarity; 0 if the record is not among the nearest, or without an embedding model.
        keyword: Match of the words, from 0 to 1, which is the best match of this search.
    """

    record: Searchable
    score: float
    vector: float
    keyword: float


def search(
    store: Store,
    text: str,
    *,
    kinds: Collection[Kind] = (Kind.POLICY,),
    workload_class: str | None = None,
    machine: str | None = None,
    outcome: Outcome | str | None = None,
    limit: int = 5,
) -> list[SearchHit]:
    """Return the records that fit a text best, the best first.

    Args:
        store: The repository's tables.
        text: What is wanted, in plain words.
        kinds: Kinds of records.
        workload_class: Only records that are meant for, or were measured on, workloads of this class.
        machine: Only records that were measured on, or made for, this machine (see ``machine_label``).
        outcome: Only records with a result that ended so, of that class and on that machine if those are given.
        limit: Most hits.

    Raises:
        BadInput: The text has no words, or there is no such class or outcome.
        SchedcpError: Another process has changed the embedding model of the repository.
    """
    if len(text) > QUERY_LIMIT:
        raise BadInput(f"the query has {len(text)} characters; {QUERY_LIMIT} are allowed")
    if not re.search(r"\w", text):
        raise BadInput("the query has no words to search for")
    if not 1 <= limit <= MOST_HITS:
        raise BadInput(f"limit must be 1 to {MOST_HITS}, not {limit}")
    where = _condition(kinds, workload_class, machine, outcome)
    vector, keyword = _by_vector(store, text, where), _by_words(store, text, where)
    known = {row["id"]: row for row in (*vector, *keyword)}
    near = {row["id"]: max(0.0, 1.0 - row["_distance"]) for row in vector}
    nearest = max(near.values(), default=0.0) or 1.0
    best = max((row["_score"] for row in keyword), default=0.0) or 1.0
    match = {row["id"]: row["_score"] / best for row in keyword}
    vector_share = VECTOR_SHARE if vector else 0.0

    def score(key: str) -> float:
        bonus = PROVEN_BONUS if known[key]["status"] == Status.PROMOTED else 0.0
        fit = vector_share * near.get(key, 0.0) / nearest + (1.0 - vector_share) * match.get(key, 0.0)
        return float(fit + bonus)

    ranked = sorted(known, key=lambda key: (-score(key), key))
    chosen = _of_many_families(ranked, known, limit)
    bodies = {row["id"]: row["body"] for row in store.rows(ENTRIES, f"id IN ({quoted(chosen)})")} if chosen else {}
    return [
        SearchHit(record_of(bodies[key]), min(1.0, score(key)), near.get(key, 0.0), match.get(key, 0.0))
        for key in chosen
        if key in bodies
    ]


def _condition(
    kinds: Collection[Kind], workload_class: str | None, machine: str | None, outcome: Outcome | str | None
) -> str:
    if outcome is not None:
        try:
            outcome = Outcome(outcome)
        except ValueError:
            raise BadInput(f"unknown outcome {str(outcome)!r}; there are: {', '.join(Outcome)}") from None
    conditions = [f"kind IN ({quoted(kind.value for kind in kinds)})", f"status != '{Status.SUPERSEDED.value}'"]
    if workload_class is not None:
        check_class(workload_class)
    if workload_class or machine or outcome:
        conditions.append(f"array_has(facets, {quoted([facet(workload_class, machine, outcome)])})")
    return " AND ".join(conditions)


def _by_vector(store: Store, text: str, where: str) -> list[dict[str, Any]]:
    vector = store.query_vector(text)
    if vector is None or not vector.any():
        return []
    query: Any = store.table(ENTRIES).search(vector, vector_column_name="vector")
    return _of_each_family(query.distance_type("cosine"), where, "_distance")


def _by_words(store: Store, text: str, where: str) -> list[dict[str, Any]]:
    from lancedb.query import MatchQuery

    def found(wrong_letters: int = 0, first_letters: int = 0) -> list[dict[str, Any]]:
        # mypy's plugin for pydantic does not see the defaults of LanceDB's class.
        words = MatchQuery(text, "text", fuzziness=wrong_letters, prefix_length=first_letters)  # type: ignore[call-arg]
        return _of_each_family(store.table(ENTRIES).search(words, query_type="fts"), where, "_score")

    return found() or found(WRONG_LETTERS, FIRST_LETTERS)


def _of_each_family(query: Any, where: str, measure: str) -> list[dict[str, Any]]:
    """Return the best rows of a query and, beyond them, the best few of each further family."""
    best = query.where(where, prefilter=True).select([*_COLUMNS, measure]).limit(NEAREST).to_arrow()
    seen: Counter[str] = Counter()
    chosen = []
    for at, family in enumerate(best["family"].to_pylist()):
        seen[family] += 1
        if at < CANDIDATES or seen[family] <= PER_FAMILY:
            chosen.append(at)
    found: list[dict[str, Any]] = best.take(pa.array(chosen, pa.int64())).to_pylist()
    return found


def _of_many_families(ranked: list[str], known: dict[str, dict[str, Any]], limit: int) -> list[str]:
    """Return the best ids, of each family a few; further ones only while there is room."""
    seen: Counter[str] = Counter()
    first: list[str] = []
    later: list[str] = []
    for key in ranked:
        seen[known[key]["family"]] += 1
        (first if seen[known[key]["family"]] <= PER_FAMILY else later).append(key)
    return (first + later)[:limit]
