"""The commands ``schedcp-gym repository``: search, show and add policies, and measure them."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from schedcp_gym.cli import options
from schedcp_gym.spec import BadInput

if TYPE_CHECKING:
    from schedcp_gym.control.repository import Kind, Parent, Repository

group = options.group_of("repository", "Find policies, their measurements and the lessons learnt from them.")
StoreOption = Annotated[
    Path | None, typer.Option("--store", metavar="FOLDER", help="Folder of the repository (default: in the cache).")
]
ClassOption = Annotated[
    str | None, typer.Option("--class", metavar="CLASS", help="For workloads of this class: batch, latency …")
]
KindOption = Annotated[str, typer.Option(metavar="policy|antipattern|primitive|all", help="Kind of records.")]
#: Limit for a file of JSON lines.
IMPORT_BYTES = 1 << 30


def _open(store: Path | None) -> "Repository":
    from schedcp_gym.control.repository import open_library

    return open_library(store)


def _kinds(word: str) -> "list[Kind]":
    from schedcp_gym.control.repository import Kind
    from schedcp_gym.lab.catalogue import unknown

    if word == "all":
        return list(Kind)
    if word not in list(Kind):
        raise unknown("kind", word, [*Kind, "all"])
    return [Kind(word)]


@options.command(
    'schedcp-gym repository search "keep one long job from finishing last"',
    'schedcp-gym repository search "wake-up latency" --class latency --outcome ok',
    'schedcp-gym repository search "predict bursts" --kind primitive',
    group=group,
)
def search(
    text: Annotated[str, typer.Argument(help="What you look for, in plain words.")],
    workload_class: ClassOption = None,
    machine: Annotated[
        str | None, typer.Option(metavar="LABEL", help="Measured on this machine: virtual-2cpu-1024mib …")
    ] = None,
    outcome: options.OutcomeOption = None,
    kind: KindOption = "policy",
    limit: Annotated[int, typer.Option(help="The most answers to print.")] = 5,
    store: StoreOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Find policies, antipatterns or primitives by their purpose."""
    from schedcp_gym.cli.repository_table import print_hits
    from schedcp_gym.control.repository import PolicyRecord
    from schedcp_gym.printing import print_json

    repository = _open(store)
    hits = repository.search(
        text, workload_class=workload_class, machine=machine, outcome=outcome, kinds=_kinds(kind), limit=limit
    )
    if as_json:
        print_json([{**_summary(hit.record), "score": round(hit.score, 4)} for hit in hits])
        return
    policies = [hit.record.id for hit in hits if isinstance(hit.record, PolicyRecord)]
    print_hits(hits, {each: next(iter(repository.standings(each)), None) for each in policies})


@options.command(
    "schedcp-gym repository show ljf",
    "schedcp-gym repository show wake-graph # a primitive",
    "schedcp-gym repository show ljf --source",
    group=group,
)
def show(
    name: Annotated[str, typer.Argument(help="A policy's name or id, or a primitive's name.")],
    source: Annotated[bool, typer.Option("--source", help="Print only the source.")] = False,
    store: StoreOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Show a policy with its origin, results and lessons, or a primitive with its requirements."""
    from schedcp_gym.cli.repository_table import print_policy, print_primitive
    from schedcp_gym.control.repository import unit
    from schedcp_gym.printing import print_json
    from schedcp_gym.ui import harmless

    repository = _open(store)
    primitive = next((each for each in repository.primitives() if each.name == name), None)
    record = None if primitive else repository.get(name)
    if source:
        text = unit(primitive) if primitive else record.source if record else ""
        print(harmless(text) if sys.stdout.isatty() else text)
    elif as_json:
        print_json({"id": primitive.id, **_body(primitive)} if primitive else _details(repository, name))
    elif primitive:
        print_primitive(primitive)
    else:
        print_policy(repository, repository.get(name))


@options.command(
    "schedcp-gym repository list --class batch",
    "schedcp-gym repository list --kind primitive",
    name="list",
    group=group,
)
def list_records(
    kind: KindOption = "policy",
    workload_class: ClassOption = None,
    status: Annotated[
        str | None, typer.Option(metavar="library|candidate|promoted|superseded", help="Only policies of this status.")
    ] = None,
    store: StoreOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """List policies, antipatterns or primitives."""
    from schedcp_gym.cli.repository_table import print_records
    from schedcp_gym.control.repository import Kind, Status
    from schedcp_gym.printing import print_json

    chosen = None if status is None else options.word_of(Status)(status)
    kinds = _kinds(kind)
    if kinds != [Kind.POLICY] and (status or workload_class):
        raise BadInput("--status and --class select policies: use them without --kind")
    repository = _open(store)
    records: list[Any] = []
    if Kind.POLICY in kinds:
        records += repository.policies(status=chosen, workload_class=workload_class)
    if Kind.ANTIPATTERN in kinds:
        records += repository.antipatterns()
    if Kind.PRIMITIVE in kinds:
        records += repository.primitives()
    if as_json:
        print_json([_summary(record) for record in records])
    else:
        print_records(records)


@options.command(
    "schedcp-gym repository add mine.bpf.c --from ljf --how patched",
    "schedcp-gym repository add ljf --name ljf-ember --set favour=ember",
    group=group,
)
def add(
    policy: Annotated[str, typer.Argument(help="A .bpf.c file, or a policy of the repository for other values.")],
    name: Annotated[str | None, typer.Option(help="Its name in the repository (default: the file's name).")] = None,
    tunables: options.SetOption = None,
    parents: Annotated[
        list[str] | None, typer.Option("--from", metavar="NAME", help="A policy that it was made from; repeat.")
    ] = None,
    how: Annotated[
        str, typer.Option(metavar="patched|composed|configured", help="How it was made from these policies.")
    ] = "patched",
    workloads: Annotated[
        list[str] | None, typer.Option("--workload", metavar="NAME", help="It is meant for this workload; repeat.")
    ] = None,
    classes: Annotated[
        list[str] | None, typer.Option("--class", metavar="CLASS", help="It is meant for this class; repeat.")
    ] = None,
    author: Annotated[str, typer.Option(help="Its author.")] = "",
    store: StoreOption = None,
) -> None:
    """Add a policy: a file, or one of the repository's policies with other values. Its header comment describes it."""
    from schedcp_gym.control.repository import PolicyRecord, configured
    from schedcp_gym.lab import catalogue

    repository = _open(store)
    values = options.pairs(tunables)
    if policy.endswith(".bpf.c"):
        loaded = catalogue.load_policy(policy, values)
        record = PolicyRecord(
            name=_name(name or loaded.name),
            source=loaded.source,
            values=dict(loaded.tunables),
            card=catalogue.card_of(loaded.source),
            workloads=tuple(workloads or ()),
            classes=tuple(classes or ()),
            author=author,
            parents=_parents(parents or [], how),
        )
    else:
        if not values or name is None:
            raise BadInput(
                "to add a policy of the repository again, give it other values and another name: --set K=V --name NAME"
            )
        record = configured(repository.get(policy), _name(name), values)
    kept = repository.add(record)
    known = "" if kept.name == record.name else " (it was there already, under this name)"
    print(f"{kept.name} · {kept.id} · {kept.status}{known}")


def _name(name: str) -> str:
    from pydantic import TypeAdapter, ValidationError

    from schedcp_gym.control.repository.records import Name

    try:
        return TypeAdapter(Name).validate_python(name)
    except ValidationError:
        raise BadInput(f"a name has at most 80 letters, digits and _.@+-, so it cannot be {name[:100]!r}") from None


def _parents(names: list[str], how: str) -> "tuple[Parent, ...]":
    from schedcp_gym.control.repository import How, Parent

    way = options.word_of(How)(how)
    return tuple(Parent(_name(name), way) for name in names)


@options.command(
    "schedcp-gym repository import results.jsonl",
    "schedcp-gym repository import - # standard input",
    name="import",
    group=group,
)
def import_records(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file of JSON lines; - is standard input.")],
    store: StoreOption = None,
) -> None:
    """Add policies, results and antipatterns from a file: all its lines, or none if one is wrong."""
    from schedcp_gym.control.repository import import_lines

    text = sys.stdin.read() if file == "-" else options.read_text(Path(file), IMPORT_BYTES)
    done = import_lines(_open(store), text.splitlines(), file)
    print(f"{done.policies} policies, {done.results} results, {done.antipatterns} antipatterns are new")
    for old, new in done.renamed.items():
        print(f"{old} is added as {new}: another policy has that name")


@options.command("schedcp-gym repository export everything.jsonl", name="export", group=group)
def export_records(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The file to write; - is standard output.")] = "-",
    store: StoreOption = None,
) -> None:
    """Write all policies, results and antipatterns as JSON lines."""
    from schedcp_gym.control.repository import export_lines

    lines = list(export_lines(_open(store)))
    text = "".join(f"{line}\n" for line in lines)
    if file == "-":
        sys.stdout.write(text)
        return
    try:
        Path(file).write_text(text)
    except OSError as error:
        raise BadInput(f"{file} cannot be written: {error.strerror}") from None
    print(f"{len(lines)} records in {file}")


def _body(record: Any) -> dict[str, Any]:
    from schedcp_gym.control.repository.entry import body_of

    body: dict[str, Any] = json.loads(body_of(record))
    return body


def _summary(record: Any) -> dict[str, Any]:
    """Return a record without its source or code."""
    return {"id": record.id, **{key: value for key, value in _body(record).items() if key not in ("source", "code")}}


def _details(repository: "Repository", name: str) -> dict[str, Any]:
    record = repository.get(name)
    return {
        "id": record.id,
        **_body(record),
        "source_sha256": record.source_sha256,
        "descendants": [each.name for each in repository.descendants(record.id)],
        "standings": repository.standings(record.id),
        "antipatterns": [_summary(each) for each in repository.antipatterns(record.name)],
    }
