"""The scheduler policy repository: read, search and write policies, results and lessons."""

import dataclasses
import datetime
import difflib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from schedcp_gym.control.repository import entry
from schedcp_gym.control.repository.classes import check_class, class_of
from schedcp_gym.control.repository.embedding import Embedder, configured_embedder
from schedcp_gym.control.repository.records import (
    TEXT_LIMIT,
    Antipattern,
    Kind,
    PolicyRecord,
    Primitive,
    ResultRecord,
    Searchable,
    Status,
    Value,
)
from schedcp_gym.control.repository.search import SearchHit, search
from schedcp_gym.control.repository.standing import Standing, standings
from schedcp_gym.control.repository.store import ENTRIES, RESULTS, Store, quoted
from schedcp_gym.lab import catalogue
from schedcp_gym.lab.catalogue import unknown
from schedcp_gym.paths import cache_root
from schedcp_gym.spec import BadInput, Outcome, check_tunables
from schedcp_gym.spec.digest import policy_id

Row = dict[str, Any]


class Repository:
    """Policies, their results, lineage and lessons, in a folder that several processes may use at once.

    Args:
        folder: The folder; made when missing. By default ``repository`` in the cache.
        embedder: Makes the vectors. By default the configured model's; without one, searches look for words only.
    """

    def __init__(self, folder: Path | None = None, embedder: Embedder | None = None) -> None:
        self.store = Store(folder or cache_root() / "repository", embedder or configured_embedder())

    # Reading

    def search(
        self,
        text: str,
        *,
        workload_class: str | None = None,
        machine: str | None = None,
        outcome: Outcome | str | None = None,
        kinds: Collection[Kind] = (Kind.POLICY,),
        limit: int = 5,
    ) -> list[SearchHit]:
        """Return the records that fit a text best, the best first; see ``search.search``."""
        return search(
            self.store, text, kinds=kinds, workload_class=workload_class, machine=machine, outcome=outcome, limit=limit
        )

    def get(self, name_or_id: str) -> PolicyRecord:
        """Return a policy.

        Raises:
            BadInput: There is no policy of this name or id.
        """
        named = f"name = {quoted([name_or_id])} OR id = {quoted([name_or_id])}"
        for row in self.store.rows(ENTRIES, f"kind = 'policy' AND ({named})"):
            found: PolicyRecord = self._record(row)
            return found
        names = [row["name"] for row in self.store.rows(ENTRIES, "kind = 'policy'", ("name",))]
        near = difflib.get_close_matches(name_or_id, names, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "`schedcp-gym repository list` names them"
        raise BadInput(f"there is no policy {name_or_id[:80]!r} in the repository; {hint}")

    def find(self, source: str, values: Mapping[str, Value]) -> PolicyRecord | None:
        """Return the policy with this source and exactly these values; None if there is none."""
        where = f"kind = 'policy' AND id = {quoted([policy_id(source, values)])}"
        return next((self._record(row) for row in self.store.rows(ENTRIES, where)), None)

    def policies(self, *, status: Status | None = None, workload_class: str | None = None) -> list[PolicyRecord]:
        """Return all policies, or those of a status or class, in order of name.

        Raises:
            BadInput: There is no such class.
        """
        where = "kind = 'policy'" + (f" AND status = {quoted([status.value])}" if status else "")
        if workload_class:
            where += f" AND array_has(facets, {quoted([entry.facet(check_class(workload_class))])})"
        return self._all(where)

    def primitives(self) -> list[Primitive]:
        """Return all primitives, in order of name."""
        return self._all("kind = 'primitive'")

    def antipatterns(self, policy: str | None = None) -> list[Antipattern]:
        """Return all antipatterns, or those of one policy, in order of name."""
        found: list[Antipattern] = self._all("kind = 'antipattern'")
        return [each for each in found if policy in (None, each.policy)]

    def results(self, policy: str | None = None, *, workload: str | None = None) -> list[ResultRecord]:
        """Return all results, or those of one policy (name or id) or one workload, in order of time.

        Raises:
            BadInput: There is no such policy.
        """
        wanted = {"policy": self.get(policy).id if policy else None, "workload": workload}
        where = " AND ".join(f"{column} = {quoted([value])}" for column, value in wanted.items() if value)
        found = [entry.record_of(row["body"]) for row in self.store.rows(RESULTS, where or None)]
        return sorted(found, key=lambda result: (result.measured_at, result.id))

    def standings(self, policy: str) -> list[Standing]:
        """Return the summaries of a policy's results by workload, machine and configuration, the best first."""
        return standings(self.results(policy))

    def descendants(self, policy: str) -> list[PolicyRecord]:
        """Return the policies that were made from a policy directly."""
        name = self.get(policy).name
        return [each for each in self.policies() if any(parent.name == name for parent in each.parents)]

    # Writing

    def add(self, record: PolicyRecord) -> PolicyRecord:
        """Add a new policy as a candidate. If its source and values are there already, nothing is changed.

        Returns:
            The record in the repository.

        Raises:
            BadInput: Another policy has the name; a parent, class, workload or tunable does not exist.
        """
        self._check(record)
        with self.store.writing():
            if there := self.find(record.source, record.values):
                return there
            if self.store.rows(ENTRIES, f"kind = 'policy' AND name = {quoted([record.name])}"):
                free = self.free_name(record.name)
                raise BadInput(f"there is another policy named {record.name!r}; {free!r} is free")
            kept = dataclasses.replace(record, status=Status.CANDIDATE)
            return self.put([kept])[0]  # type: ignore[return-value]

    def learn(self, lesson: Antipattern) -> Antipattern:
        """Add a lesson.

        Raises:
            BadInput: There is no such policy or class.
        """
        for name in lesson.classes:
            check_class(name)
        policy = self.get(lesson.policy).name if lesson.policy else ""
        return self.put([dataclasses.replace(lesson, policy=policy)])[0]  # type: ignore[return-value]

    def record(self, *results: ResultRecord) -> list[ResultRecord]:
        """Add results, and promote or demote their policies by the rule.

        Args:
            results: The results; ``policy`` may be a name or an id. A trial that is there already does not count twice.

        Returns:
            The results as they are stored.

        Raises:
            BadInput: There is no such policy.
        """
        ids = {name: self.get(name).id for name in {result.policy for result in results}}
        now = utc_now()
        kept = [
            dataclasses.replace(
                result,
                policy=ids[result.policy],
                workload_class=result.workload_class or _class_of(result.workload),
                measured_at=result.measured_at or now,
            )
            for result in results
        ]
        by_policy: dict[str, list[ResultRecord]] = defaultdict(list)
        for result in kept:
            by_policy[result.policy].append(result)
        with self.store.writing():
            # Facets first. If this process dies in between, a search finds one policy too many instead of missing one.
            self._change(by_policy, lambda row: self._with_facets(row, by_policy[row["id"]]))
            self.store.add(RESULTS, [_result_row(result) for result in kept])
            self._change(by_policy, self._with_status)
        return kept

    def put(self, records: Sequence[Searchable]) -> list[Searchable]:
        """Store records as they are, and replace those of the same id. For the library and for imports."""
        now = utc_now()
        stamped = [
            dataclasses.replace(record, created_at=record.created_at or now)
            if isinstance(record, (PolicyRecord, Antipattern))
            else record
            for record in records
        ]
        with self.store.writing():
            families = self._families(stamped)
            self.store.check_embedder()
            rows = [entry.row_of(record, family) for record, family in zip(stamped, families, strict=True)]
            self.store.add(ENTRIES, self.store.with_vectors(rows))
        return stamped

    def note(self, policy: str, text: str) -> PolicyRecord:
        """Add a note to a policy's card, for example what worked. Searches do not look into notes.

        Raises:
            BadInput: There is no such policy, or its card would be too long.
        """
        with self.store.writing():
            record = self.get(policy)
            card = f"{record.card.rstrip()}\n\n{text}"
            if len(card) > TEXT_LIMIT:
                raise BadInput(f"the card of {record.name} would have {len(card)} characters; {TEXT_LIMIT} are allowed")
            noted = dataclasses.replace(record, card=card)
            self._change([record.id], lambda row: {**row, "body": entry.body_of(noted)})
        return noted

    def rename(self, policy_id: str, name: str, status: Status) -> None:
        """Give a policy another name and status, for example one that the library has replaced."""

        def renamed(row: Row) -> Row:
            record = dataclasses.replace(self._record(row), name=name, status=status)
            return {**row, "name": name, "status": status.value, "body": entry.body_of(record)}

        self._change([policy_id], renamed)

    def free_name(self, name: str) -> str:
        """Return a similar name that no policy has."""
        taken = {row["name"] for row in self.store.rows(ENTRIES, "kind = 'policy'", ("name",))}
        number = 2
        while f"{name}-{number}" in taken:
            number += 1
        return f"{name}-{number}"

    # Inside

    def _all(self, where: str) -> list[Any]:
        return sorted(map(self._record, self.store.rows(ENTRIES, where)), key=lambda record: record.name)

    @staticmethod
    def _record(row: Row) -> Any:
        return entry.record_of(row["body"])

    def _check(self, record: PolicyRecord) -> None:
        for name in record.classes:
            check_class(name)
        for name in record.workloads:
            if name not in catalogue.workload_names():
                raise unknown("workload", name, catalogue.workload_names())
        check_tunables(catalogue.tunables_of(record.source), record.values)
        known = {row["name"] for row in self.store.rows(ENTRIES, "kind IN ('policy', 'primitive')", ("name",))}
        for parent in record.parents:
            if parent.name not in known:
                near = difflib.get_close_matches(parent.name, known, n=3)
                hint = f"; did you mean {' or '.join(near)}?" if near else ""
                raise BadInput(f"no policy or primitive {parent.name!r} to come from{hint}")

    def _families(self, records: Sequence[Searchable]) -> list[str]:
        """Return the name of the oldest ancestor of each record, along the first parents."""
        known: dict[str, str] = {}
        wanted = {parent.name for record in records for parent in getattr(record, "parents", ())}
        if wanted:
            where = f"kind = 'policy' AND name IN ({quoted(wanted)})"
            known = {row["name"]: row["family"] for row in self.store.rows(ENTRIES, where, ("name", "family"))}
        first = {
            record.name: record.parents[0].name
            for record in records
            if isinstance(record, PolicyRecord) and record.parents
        }

        def oldest(name: str) -> str:
            seen = set()
            while name in first and name not in seen:  # parents among the records themselves
                seen.add(name)
                name = first[name]
            return known.get(name, name)

        return [oldest(record.name) for record in records]

    def _change(self, ids: Iterable[str], change: Callable[[Row], Row | None]) -> None:
        """Read rows of entries, and write those that a function returns for them."""
        with self.store.writing():
            columns = self.store.table(ENTRIES).schema.names
            rows = self.store.rows(ENTRIES, f"id IN ({quoted(ids)})", columns) if ids else []
            self.store.add(ENTRIES, [changed for row in rows if (changed := change(row)) is not None])

    @staticmethod
    def _with_facets(row: Row, results: Iterable[ResultRecord]) -> Row | None:
        facets = set(row["facets"]).union(*map(entry.facets_of_result, results))
        return {**row, "facets": sorted(facets)} if facets != set(row["facets"]) else None

    def _with_status(self, row: Row) -> Row | None:
        """Return the row with the status that its results prove; None if it has that status."""
        if row["status"] not in (Status.CANDIDATE, Status.PROMOTED):
            return None
        results = [entry.record_of(each["body"]) for each in self.store.rows(RESULTS, f"policy = '{row['id']}'")]
        proven = any(standing.proven for standing in standings(results))
        status = Status.PROMOTED if proven else Status.CANDIDATE
        if status == row["status"]:
            return None
        record = dataclasses.replace(self._record(row), status=status)
        return {**row, "status": status.value, "body": entry.body_of(record)}


def _result_row(result: ResultRecord) -> Row:
    return {
        "id": result.id,
        "policy": result.policy,
        "workload": result.workload,
        "workload_class": result.workload_class,
        "machine": result.machine,
        "outcome": result.outcome.value,
        "body": entry.body_of(result),
    }


def _class_of(workload: str) -> str:
    """Return the class of a workload; empty if the workload is not in the catalogue."""
    if workload not in catalogue.workload_names():
        return ""
    return class_of(catalogue.load_workload(workload))


def utc_now() -> str:
    """Return the time in UTC as ISO 8601, with microseconds."""
    return datetime.datetime.now(datetime.UTC).isoformat()
