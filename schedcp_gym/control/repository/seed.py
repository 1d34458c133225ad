"""Put the library into a repository: policies of ``bpf/``, primitives, and results recorded in ``results/``."""

import json
import logging
from pathlib import Path

from schedcp_gym.control.repository.card import read_card
from schedcp_gym.control.repository.classes import classes_of_card
from schedcp_gym.control.repository.embedding import Embedder
from schedcp_gym.control.repository.lines import import_lines
from schedcp_gym.control.repository.primitives import PRIMITIVES, load_primitive, primitive_names
from schedcp_gym.control.repository.records import Antipattern, How, Parent, PolicyRecord, Status
from schedcp_gym.control.repository.repository import Repository
from schedcp_gym.control.repository.store import ENTRIES
from schedcp_gym.lab import catalogue
from schedcp_gym.paths import PACKAGE, POLICIES
from schedcp_gym.spec import check_tunables
from schedcp_gym.spec.digest import digest

log = logging.getLogger(__name__)

AUTHOR = "library"
#: Folder with JSON lines of measured results, in a checkout.
RECORDED = PACKAGE.parent / "results" / "repository"
#: Is raised when other records are made from the same files of the library.
_VERSION = 2


def library_policies() -> list[PolicyRecord]:
    """Return the policies of ``bpf/`` with their cards."""
    found = []
    for name in catalogue.policy_names()[1:]:
        source = catalogue.load_policy(name).source
        card = catalogue.card_of(source)
        found.append(
            PolicyRecord(
                name=name,
                source=source,
                card=card,
                classes=classes_of_card(card),
                author=AUTHOR,
                status=Status.LIBRARY,
            )
        )
    return found


def library_antipatterns() -> list[Antipattern]:
    """Return the bad sides of the library's policies, from their cards."""
    cards = {record.name: read_card(record.card) for record in library_policies()}
    return [
        Antipattern(
            name=f"{name}-where-it-is-bad",
            failed_because=f"it is bad for {card.bad.partition(':')[2].strip() or card.bad}",
            policy=name,
            author=AUTHOR,
        )
        for name, card in cards.items()
        if card.bad
    ]


def open_library(folder: Path | None = None, embedder: Embedder | None = None) -> Repository:
    """Open a repository and bring the library in it up to date: its policies, primitives and recorded results.

    Args:
        folder: The folder; made when missing. By default ``repository`` in the cache.
        embedder: Makes the vectors; by default the configured model's, if there is one.
    """
    repository = Repository(folder, embedder)
    keep_library(repository)
    return repository


def keep_library(repository: Repository) -> None:
    """Add the library, again if its files have changed. Each file of recorded results is imported once."""
    _keep_files(repository)
    for path in sorted(RECORDED.glob("*.jsonl")) if RECORDED.is_dir() else ():
        take_recorded(repository, path)


def take_recorded(repository: Repository, path: Path) -> int:
    """Import a file of recorded results, if that was not done before; return the number of new records.

    Results of policies that are not in the repository, because their source has changed, are skipped.
    """
    text = path.read_text()
    key = digest([path.name, text])[:16]
    if key in repository.store.meta().get("recorded", []):
        return 0
    with repository.store.writing():
        taken = import_lines(repository, _current(repository, text), path.name)
        repository.store.set_meta(recorded=[*repository.store.meta().get("recorded", []), key])
    return taken.total


def _current(repository: Repository, text: str) -> list[str]:
    """Return the lines without results of policies that are neither in the repository nor in the lines."""
    lines = [(line, json.loads(line)) for line in text.splitlines() if line.strip()]
    known = {word for each in repository.policies() for word in (each.id, each.name)}
    known |= {plain["name"] for _, plain in lines if plain.get("kind") == "policy"}
    return [line for line, plain in lines if plain.get("kind") != "result" or plain.get("policy") in known]


def _keep_files(repository: Repository) -> None:
    files = [*sorted(POLICIES.glob("*.bpf.c")), *sorted(PRIMITIVES.glob("*.yaml"))]
    state = digest([_VERSION, *([path.name, path.read_text()] for path in files)])
    if repository.store.meta().get("library") == state:
        return
    with repository.store.writing():
        if repository.store.meta().get("library") == state:
            return  # another process was faster
        policies = library_policies()
        _supersede(repository, policies)
        known = {each.id: each for each in repository.policies()}
        new = [policy for policy in policies if policy.id not in known or known[policy.id].status is not Status.LIBRARY]
        primitives = [load_primitive(name) for name in primitive_names()]
        stale = [each.id for each in repository.antipatterns() if each.author == AUTHOR]
        stale += [each.id for each in repository.primitives()]
        if stale:
            repository.store.delete(ENTRIES, stale)
        repository.put([*new, *primitives, *library_antipatterns()])
        repository.store.set_meta(library=state)


def _supersede(repository: Repository, policies: list[PolicyRecord]) -> None:
    """Rename policies that the library has replaced to names with their digests. They keep their results."""
    ids = {policy.name: policy.id for policy in policies}
    for old in repository.policies():
        if old.id != ids.get(old.name, old.id) or (old.status is Status.LIBRARY and old.name not in ids):
            status = Status.SUPERSEDED if old.status is Status.LIBRARY else old.status
            repository.rename(old.id, f"{old.name}@{old.id[:6]}", status)


def configured(parent: PolicyRecord, name: str, values: dict[str, object], why: str = "") -> PolicyRecord:
    """Return a policy with other values of its tunables, as a new record.

    Args:
        parent: The policy.
        name: Name of the new record.
        values: Values to set; the parent's other values stay.
        why: The reason, in a line.

    Raises:
        BadInput: There is no such tunable, or a value is not allowed.
    """
    checked = check_tunables(catalogue.tunables_of(parent.source), {**parent.values, **values})
    return PolicyRecord(
        name=name,
        source=parent.source,
        values=dict(checked),
        card=parent.card,
        classes=parent.classes,
        parents=(Parent(parent.name, How.CONFIGURED, why),),
    )
