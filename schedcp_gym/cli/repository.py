"""``schedcp-gym repository``: what is known of policies, found again in plain words."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from schedcp_gym.cli.options import JsonOption, SetOption, pairs
from schedcp_gym.spec import BadInput, Outcome

if TYPE_CHECKING:
    from schedcp_gym.control.repository import Kind, Parent, Repository

repository_app = typer.Typer(help="Policies, what was measured of them, and what was learnt.", no_args_is_help=True)
StoreOption = Annotated[
    Path | None, typer.Option("--store", metavar="FOLDER", help="The repository's folder; in the cache if not given.")
]
ClassOption = Annotated[
    str | None, typer.Option("--class", metavar="CLASS", help="For workloads of this class: batch, latency …")
]
KindOption = Annotated[str, typer.Option(metavar="policy|antipattern|primitive|all", help="What kind of records.")]
#: Files of JSON lines larger than this are not read.
IMPORT_BYTES = 1 << 30


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(repository_app, name="repository")


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


@repository_app.command(
    "search",
    epilog='Examples: [bold]schedcp-gym repository search "keep one long job from finishing last"[/bold] · '
    '[bold]schedcp-gym repository search "wake-up latency" --class latency --outcome ok[/bold] · '
    '[bold]schedcp-gym repository search "predict bursts" --kind primitive[/bold]',
)
def search(
    text: Annotated[str, typer.Argument(help="What is wanted, in plain words.")],
    workload_class: ClassOption = None,
    machine: Annotated[str | None, typer.Option(metavar="LABEL", help="Measured there: virtual-2cpu-1024mib …")] = None,
    outcome: Annotated[
        str | None, typer.Option(metavar="|".join(Outcome), help="With a result that ended so.", show_default=False)
    ] = None,
    kind: KindOption = "policy",
    limit: Annotated[int, typer.Option(help="Most answers.")] = 5,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find policies, antipatterns or primitives by what they are for."""
    from schedcp_gym.cli.repository_table import print_hits
    from schedcp_gym.control.repository import PolicyRecord

    repository = _open(store)
    hits = repository.search(
        text, workload_class=workload_class, machine=machine, outcome=outcome, kinds=_kinds(kind), limit=limit
    )
    if as_json:
        print(json.dumps([{**_summary(hit.record), "score": round(hit.score, 4)} for hit in hits], indent=1))
        return
    best = {
        hit.record.id: next(iter(repository.standings(hit.record.id)), None)
        for hit in hits
        if isinstance(hit.record, PolicyRecord)
    }
    print_hits(hits, best)


@repository_app.command(
    "show",
    epilog="Examples: [bold]schedcp-gym repository show ljf[/bold] · "
    "[bold]schedcp-gym repository show wake-graph[/bold] (a primitive) · "
    "[bold]schedcp-gym repository show ljf --source[/bold]",
)
def show(
    name: Annotated[str, typer.Argument(help="A policy's name or id, or a primitive's name.")],
    source: Annotated[bool, typer.Option("--source", help="Print the source and nothing else.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a policy with its lineage, standing and lessons, or a primitive with what it needs."""
    from schedcp_gym.cli.repository_table import print_policy, print_primitive
    from schedcp_gym.control.repository import unit
    from schedcp_gym.ui import harmless

    repository = _open(store)
    primitive = next((each for each in repository.primitives() if each.name == name), None)
    record = None if primitive else repository.get(name)
    if source:
        text = unit(primitive) if primitive else record.source if record else ""
        print(harmless(text) if sys.stdout.isatty() else text)
    elif as_json:
        print(json.dumps(_details(repository, name), indent=1))
    elif primitive:
        print_primitive(primitive)
    else:
        print_policy(repository, repository.get(name))


@repository_app.command(
    "list",
    epilog="Examples: [bold]schedcp-gym repository list --class batch[/bold] · "
    "[bold]schedcp-gym repository list --kind primitive[/bold]",
)
def list_records(
    kind: KindOption = "policy",
    workload_class: ClassOption = None,
    status: Annotated[str | None, typer.Option(metavar="library|candidate|promoted|superseded")] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List policies, antipatterns or primitives."""
    from schedcp_gym.cli.repository_table import print_records
    from schedcp_gym.control.repository import Kind, Status
    from schedcp_gym.lab.catalogue import unknown

    if status is not None and status not in list(Status):
        raise unknown("status", status, list(Status))
    kinds = _kinds(kind)
    if kinds != [Kind.POLICY] and (status or workload_class):
        raise BadInput("--status and --class are of policies: leave out --kind")
    repository = _open(store)
    records: list[Any] = []
    if Kind.POLICY in kinds:
        records += repository.policies(status=Status(status) if status else None, workload_class=workload_class)
    if Kind.ANTIPATTERN in kinds:
        records += repository.antipatterns()
    if Kind.PRIMITIVE in kinds:
        records += repository.primitives()
    if as_json:
        print(json.dumps([_summary(record) for record in records], indent=1))
    else:
        print_records(records)


@repository_app.command(
    "add",
    epilog="Examples: [bold]schedcp-gym repository add mine.bpf.c --from ljf --how patched[/bold] · "
    "[bold]schedcp-gym repository add ljf --name ljf-ember --set favour=ember[/bold]",
)
def add(
    policy: Annotated[str, typer.Argument(help="A .bpf.c file, or a policy to keep with other values.")],
    name: Annotated[str | None, typer.Option(help="Its name here; the file's if not given.")] = None,
    tunables: SetOption = None,
    parents: Annotated[
        list[str] | None, typer.Option("--from", metavar="NAME", help="What it was made from; repeat.")
    ] = None,
    how: Annotated[str, typer.Option(metavar="patched|composed|configured", help="How.")] = "patched",
    workloads: Annotated[
        list[str] | None, typer.Option("--workload", metavar="NAME", help="Meant for it; repeat.")
    ] = None,
    classes: Annotated[list[str] | None, typer.Option("--class", metavar="CLASS", help="Meant for it; repeat.")] = None,
    author: Annotated[str, typer.Option(help="Who wrote it.")] = "",
    store: StoreOption = None,
) -> None:
    """Keep a policy: a file of one's own, or one that is there with other values. Its card is its header comment."""
    from schedcp_gym.control.repository import PolicyRecord, configured
    from schedcp_gym.lab import catalogue

    repository = _open(store)
    values = pairs(tunables or [])
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
                "a policy of the repository is kept anew with other values and a name: --set K=V --name NAME"
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
        raise BadInput(f"a name has letters, digits and any of _.@+-, 80 at most, not {name[:100]!r}") from None


def _parents(names: list[str], how: str) -> "tuple[Parent, ...]":
    from schedcp_gym.control.repository import How, Parent
    from schedcp_gym.lab.catalogue import unknown

    if how not in list(How):
        raise unknown("way", how, list(How))
    return tuple(Parent(_name(name), How(how)) for name in names)


@repository_app.command(
    "import", epilog="Example: [bold]schedcp-gym repository import results.jsonl[/bold] (- is standard input)"
)
def import_records(
    file: Annotated[str, typer.Argument(metavar="FILE", help="JSON lines; -: standard input.")],
    store: StoreOption = None,
) -> None:
    """Take in policies, results and antipatterns: all lines of a file, or none if one is wrong."""
    from schedcp_gym.control.repository import import_lines

    done = import_lines(_open(store), _read(file).splitlines(), file)
    print(f"{done.policies} policies, {done.results} results, {done.antipatterns} antipatterns are new")
    for old, new in done.renamed.items():
        print(f"{old} is kept as {new}: another policy has the name")


def _read(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    path = Path(file)
    try:
        if path.stat().st_size > IMPORT_BYTES:
            raise BadInput(f"{file} is larger than {IMPORT_BYTES >> 20} MiB")
        return path.read_text()
    except UnicodeDecodeError:
        raise BadInput(f"{file}: not a text file") from None
    except OSError as error:
        raise BadInput(f"{file} can't be read: {error.strerror}") from None


@repository_app.command("export", epilog="Example: [bold]schedcp-gym repository export everything.jsonl[/bold]")
def export_records(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to; - for standard output.")] = "-",
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
        raise BadInput(f"{file} can't be written: {error.strerror}") from None
    print(f"{len(lines)} records in {file}")


def _summary(record: Any) -> dict[str, Any]:
    """A record without its long parts."""
    from schedcp_gym.control.repository.entry import body_of

    whole: dict[str, Any] = json.loads(body_of(record))
    return {"id": record.id, **{key: value for key, value in whole.items() if key not in ("source", "code")}}


def _details(repository: "Repository", name: str) -> dict[str, Any]:
    from pydantic import TypeAdapter

    from schedcp_gym.control.repository import Standing
    from schedcp_gym.control.repository.entry import body_of

    for primitive in repository.primitives():
        if primitive.name == name:
            return {"id": primitive.id, **json.loads(body_of(primitive))}
    record = repository.get(name)
    return {
        "id": record.id,
        **json.loads(body_of(record)),
        "source_sha256": record.source_sha256,
        "descendants": [each.name for each in repository.descendants(record.id)],
        "standings": TypeAdapter(list[Standing]).dump_python(repository.standings(record.id), mode="json"),
        "antipatterns": [_summary(each) for each in repository.antipatterns(record.name)],
    }
