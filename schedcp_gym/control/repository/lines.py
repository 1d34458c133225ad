"""Import and export as JSON lines: one record a line."""

import dataclasses
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from schedcp_gym.control.repository import entry
from schedcp_gym.control.repository.records import Antipattern, PolicyRecord, Primitive, ResultRecord, Status
from schedcp_gym.spec import BadInput
from schedcp_gym.spec.errors import first_fault

if TYPE_CHECKING:
    from schedcp_gym.control.repository.repository import Repository


@dataclass(frozen=True)
class Imported:
    """The outcome of an import.

    Attributes:
        policies: Number of new policies.
        results: Number of new results.
        antipatterns: Number of new antipatterns.
        renamed: Old name → new name of policies whose name was taken.
    """

    policies: int
    results: int
    antipatterns: int
    renamed: dict[str, str]

    @property
    def total(self) -> int:
        """Return the number of all new records."""
        return self.policies + self.results + self.antipatterns


def export_lines(repository: "Repository") -> Iterator[str]:
    """Yield a line for each policy, antipattern and result. Primitives are left out: they come with the library."""
    yield from map(entry.body_of, repository.policies())
    yield from map(entry.body_of, repository.antipatterns())
    yield from map(entry.body_of, repository.results())


def import_lines(repository: "Repository", lines: Iterable[str], source: str = "input") -> Imported:
    """Import the lines of an export: all of them, or none if one is wrong.

    Imported policies are candidates. Their imported results promote them if they meet the rule.

    Args:
        repository: The repository that gets the records.
        lines: JSON, one record in each line; empty lines are skipped.
        source: Name of the lines in errors.

    Raises:
        BadInput: A line is not a record, or the policy of a result is neither in the lines nor in the repository.
    """
    records = [
        (number, _read(line, f"{source}: line {number}")) for number, line in enumerate(lines, 1) if line.strip()
    ]
    with repository.store.writing():
        here = {record.id: record for record in repository.policies()}
        new: dict[str, PolicyRecord] = {}
        for _, record in records:
            if isinstance(record, PolicyRecord) and record.id not in here:
                new.setdefault(record.id, dataclasses.replace(record, status=Status.CANDIDATE))
        renamed = _unique_names(new, {record.name for record in here.values()})
        ids = {*here, *new}
        names = {record.name: record.id for record in (*here.values(), *new.values())}
        results = []
        for number, record in records:
            if isinstance(record, ResultRecord):
                policy = record.policy if record.policy in ids else names.get(record.policy)
                if policy is None:
                    raise BadInput(f"{source}: line {number}: no policy {record.policy!r} here, nor in the lines")
                results.append(dataclasses.replace(record, policy=policy))
        known = {each.id for each in repository.antipatterns()}
        lessons = {each.id: each for _, each in records if isinstance(each, Antipattern) and each.id not in known}
        old = {result.id for result in repository.results()} if results else set()
        repository.put([*new.values(), *lessons.values()])
        kept = repository.record(*results) if results else []
    return Imported(len(new), len({each.id for each in kept} - old), len(lessons), renamed)


def _read(line: str, place: str) -> Any:
    try:
        record = entry.record_of(line)
    except json.JSONDecodeError as error:
        raise BadInput(f"{place}: not JSON: {error.msg}") from None
    except ValidationError as error:
        raise BadInput(f"{place}: {first_fault(error)}") from None
    except ValueError as error:
        raise BadInput(f"{place}: {error}") from None
    if isinstance(record, Primitive):
        raise BadInput(f"{place}: primitives come with the library (bpf/primitives/), not by import")
    return record


def _unique_names(new: dict[str, PolicyRecord], taken: set[str]) -> dict[str, str]:
    """Rename policies whose name is taken, and their children's parents. Return old name → new name."""
    renamed = {}
    for key, record in new.items():
        if record.name in taken:
            renamed[record.name] = f"{record.name[:60]}@{key[:6]}"
            new[key] = dataclasses.replace(record, name=renamed[record.name])
        taken.add(new[key].name)
    for key, record in new.items():
        if any(parent.name in renamed for parent in record.parents):
            parents = tuple(
                dataclasses.replace(parent, name=renamed.get(parent.name, parent.name)) for parent in record.parents
            )
            new[key] = dataclasses.replace(record, parents=parents)
    return renamed
