"""Search in natural language: by vectors and by keywords at once, put together."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from schedcp_gym.control.repository.classes import check_class
from schedcp_gym.control.repository.entry import facet, record_of
from schedcp_gym.control.repository.records import Kind, Searchable, Status
from schedcp_gym.control.repository.store import ENTRIES, Store, quoted
from schedcp_gym.control.repository.words import vocabulary
from schedcp_gym.spec import BadInput, Outcome

MOST_HITS = 100
#: So many of the best by each way are looked at: of the nearest vectors more than that, to meet other families too.
CANDIDATES = 100
NEAREST = 2000
QUERY_LIMIT = 2000
#: Of one family, so many at once, as long as there are others: variants of one policy must not fill the answer.
PER_FAMILY = 2
#: The share of each way in a score from 0 to 1.
VECTOR_SHARE, KEYWORD_SHARE = 0.5, 0.5
#: A score's part for being proven.
PROVEN_BONUS = 0.02
_COLUMNS = ["id", "family", "status"]


@dataclass(frozen=True)
class Hit:
    """An answer to a search.

    Attributes:
        record: What was found.
        score: From 0 to 1; comparable within one search only.
        vector: The part of the vectors: cosine similarity, 0 if not among the nearest.
        keyword: The part of the keywords: 1 is the best match of this search.
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
) -> list[Hit]:
    """What fits a text best, best first.

    Args:
        store: Where.
        text: What is wanted, in plain words.
        kinds: Policies, antipatterns, primitives.
        workload_class: Only what is meant for, or was measured on, workloads of this class.
        machine: Only what was measured, or made for, there (as ``machine_label`` writes it).
        outcome: Only what has a result (of that class, on that machine) that ended so.
        limit: Most hits.

    Raises:
        BadInput: There is nothing to search for, or no such class or outcome.
    """
    words = _query_words(text)
    if not 1 <= limit <= MOST_HITS:
        raise BadInput(f"limit must be 1 to {MOST_HITS}, not {limit}")
    where = _condition(kinds, workload_class, machine, outcome)
    vector, keyword = _by_vector(store, text, where), _by_keyword(store, words, where)
    known = {row["id"]: row for row in (*vector, *keyword)}
    near = {row["id"]: max(0.0, 1.0 - row["_distance"]) for row in vector}
    best = max((row["_score"] for row in keyword), default=0.0)
    match = {row["id"]: row["_score"] / best for row in keyword if best > 0}
    nearest = max(near.values(), default=0.0) or 1.0

    def score(key: str) -> float:
        bonus = PROVEN_BONUS if known[key]["status"] == Status.PROMOTED else 0.0
        return float(VECTOR_SHARE * near.get(key, 0.0) / nearest + KEYWORD_SHARE * match.get(key, 0.0) + bonus)

    ranked = sorted(known, key=lambda key: (-score(key), key))
    chosen = _of_many_families(ranked, known, limit)
    bodies = {row["id"]: row["body"] for row in store.rows(ENTRIES, f"id IN ({quoted(chosen)})")} if chosen else {}
    return [
        Hit(record_of(bodies[key]), min(1.0, score(key)), near.get(key, 0.0), match.get(key, 0.0))
        for key in chosen
        if key in bodies
    ]


def _query_words(text: str) -> list[str]:
    if len(text) > QUERY_LIMIT:
        raise BadInput(f"the query has {len(text)} characters; {QUERY_LIMIT} are allowed")
    words = list(dict.fromkeys(vocabulary().words(text)))
    if not words:
        raise BadInput("the query holds no words to search for")
    return [word for word in words if word not in vocabulary().common] or words


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
    """The nearest, and beyond them the nearest few of each family that there is near."""
    vector = store.query_vector(text)
    if not vector.any():
        return []
    query: Any = store.table(ENTRIES).search(vector, vector_column_name="vector")
    near = (
        query.distance_type("cosine")
        .where(where, prefilter=True)
        .select([*_COLUMNS, "_distance"])
        .limit(NEAREST)
        .to_arrow()
    )
    seen: Counter[str] = Counter()
    chosen = []
    for at, family in enumerate(near["family"].to_pylist()):
        seen[family] += 1
        if at < CANDIDATES or seen[family] <= PER_FAMILY:
            chosen.append(at)
    found: list[dict[str, Any]] = near.take(pa.array(chosen, pa.int64())).to_pylist()
    return found


def _by_keyword(store: Store, words: Iterable[str], where: str) -> list[dict[str, Any]]:
    query = store.table(ENTRIES).search(" ".join(words), query_type="fts", fts_columns="words")
    found: list[dict[str, Any]] = (
        query.where(where, prefilter=True).select([*_COLUMNS, "_score"]).limit(CANDIDATES).to_arrow().to_pylist()
    )
    return found


def _of_many_families(ranked: list[str], known: dict[str, dict[str, Any]], limit: int) -> list[str]:
    """The best, of each family a few; further ones only where there is room left."""
    seen: Counter[str] = Counter()
    first: list[str] = []
    later: list[str] = []
    for key in ranked:
        seen[known[key]["family"]] += 1
        (first if seen[known[key]["family"]] <= PER_FAMILY else later).append(key)
    return (first + later)[:limit]
