"""What ``schedcp-gym repository`` prints for a person."""

import math
from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schedcp_gym.cli.bench_table import PLAIN_WIDTH, value_text
from schedcp_gym.control.repository import (
    Antipattern,
    Figure,
    Hit,
    PolicyRecord,
    Primitive,
    Repository,
    Standing,
)
from schedcp_gym.control.repository.card import read_card
from schedcp_gym.control.repository.entry import facets_of
from schedcp_gym.ui import harmless

STANDINGS = 12
METRICS = 4
_Record = PolicyRecord | Antipattern | Primitive


def _console(console: Console | None) -> Console:
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    return console


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for heading in headings:
        right = heading in ("score", "seeds", "results")
        table.add_column(heading, justify="right" if right else "left", overflow="fold", no_wrap=right)
    return table


def _safe(text: object) -> str:
    return escape(harmless(str(text)))


def print_hits(hits: Sequence[Hit], best: Mapping[str, Standing | None], console: Console | None = None) -> None:
    """Prints what a search found.

    Args:
        hits: Best first.
        best: By a policy's id, the best it came to.
        console: Where; standard output if not given.
    """
    console = _console(console)
    if not hits:
        console.print("nothing fits; fewer filters may help")
        return
    table = _table("score", "name", "what", *(["best measured"] if best else []))
    for hit in hits:
        cells = [f"{hit.score:.2f}", _safe(hit.record.name), _safe(_what(hit.record))]
        if best:
            measured = isinstance(hit.record, PolicyRecord)
            cells.append(_best_text(best.get(hit.record.id)) if measured else "")
        table.add_row(*cells)
    console.print(table)


def print_records(records: Sequence[_Record], console: Console | None = None) -> None:
    """Prints a list of records."""
    console = _console(console)
    if not records:
        console.print("there are none")
        return
    table = _table("name", "status", "for", "what")
    for record in records:
        table.add_row(_safe(record.name), _status(record), _safe(", ".join(_classes(record))), _safe(_what(record)))
    console.print(table)


def _status(record: _Record) -> str:
    return record.status.value if isinstance(record, PolicyRecord) else record.kind


def _classes(record: _Record) -> list[str]:
    if isinstance(record, Primitive):
        return list(record.used_by) if len(record.used_by) <= METRICS else [f"{len(record.used_by)} policies"]
    return sorted({one for facet in facets_of(record) if (one := facet.split("|")[0]) != "*"})


def _what(record: _Record) -> str:
    if isinstance(record, Antipattern):
        return record.failed_because
    if isinstance(record, Primitive):
        return record.title
    values = ", ".join(f"{name}={value}" for name, value in record.values.items())
    return read_card(record.card).title + (f" [{values}]" if values else "")


def _best_text(standing: Standing | None) -> str:
    if standing is None:
        return "[dim]not measured[/]"
    if standing.reward is None:
        return f"{_safe(standing.workload)}: {standing.failures} of {standing.results} failed"
    return f"{_safe(standing.workload)}: {_ratio_text(standing.reward)}"


def _ratio_text(reward: Figure) -> str:
    """A reward as the improvement ratio over EEVDF."""
    ratio = math.exp(reward.mean)
    style = "green" if reward.mean > 0 else "red"
    ends = ""
    if reward.low is not None and reward.high is not None:
        ends = f" ({math.exp(reward.low):.2f} to {math.exp(reward.high):.2f})"
    return f"[{style}]{ratio:.2f}x[/]{ends}"


def print_policy(repository: Repository, record: PolicyRecord, console: Console | None = None) -> None:
    """Prints all that is known of a policy, but for its source."""
    console = _console(console)
    console.print(
        f"[bold]{_safe(record.name)}[/] · {record.id} · {record.status} · {_safe(record.author or 'unknown')}"
    )
    console.print(f"\n{_safe(record.card)}\n", soft_wrap=True)
    for parent in record.parents:
        console.print(f"{parent.how} from {_safe(parent.name)}" + (f": {_safe(parent.note)}" if parent.note else ""))
    if children := repository.descendants(record.id):
        console.print(f"made from it: {_safe(', '.join(child.name for child in children))}")
    meant = [*_classes(record), *record.workloads]
    console.print(f"meant for: {_safe(', '.join(meant) or 'anything')}")
    if record.values:
        console.print("values: " + _safe(", ".join(f"{name}={value}" for name, value in record.values.items())))
    _print_standings(console, repository.standings(record.id))
    for lesson in repository.antipatterns(record.name):
        console.print(f"[yellow]failed because[/] {_safe(lesson.failed_because)}", soft_wrap=True)


def _print_standings(console: Console, found: Sequence[Standing]) -> None:
    if not found:
        console.print("[dim]not measured yet[/]")
        return
    table = _table("workload", "values", "machine", "seeds", "results", "vs EEVDF, 95 % interval", "means")
    for standing in found[:STANDINGS]:
        metrics = [f"{name} {value_text(each.mean)}" for name, each in sorted(standing.metrics.items())]
        failed = f" [red]({standing.failures} failed)[/]" if standing.failures else ""
        workload = f"{standing.workload}, {standing.scale}" + (f", {standing.objective}" if standing.objective else "")
        table.add_row(
            ("[bold]" if standing.proven else "") + _safe(workload) + ("[/]" if standing.proven else ""),
            _safe(", ".join(f"{name}={value}" for name, value in standing.values) or "-"),
            _safe(standing.machine),
            str(standing.reward.seeds if standing.reward else 0),
            f"{standing.results}{failed}",
            _ratio_text(standing.reward) if standing.reward else "-",
            _safe("\n".join(metrics[:METRICS])),
        )
    console.print(table)
    if len(found) > STANDINGS:
        console.print(f"and {len(found) - STANDINGS} more (--json has them all)")


def print_primitive(primitive: Primitive, console: Console | None = None) -> None:
    """Prints a primitive with what it needs."""
    console = _console(console)
    console.print(
        f"[bold]{_safe(primitive.name)}[/]: {_safe(primitive.title)}\n\n{_safe(primitive.card)}\n", soft_wrap=True
    )
    needs = {
        "headers": ", ".join(f"<{header}>" for header in primitive.headers),
        "maps": ", ".join(primitive.maps),
        "compiles in": ", ".join(primitive.used_by),
    }
    for name, value in needs.items():
        if value:
            console.print(f"{name}: {_safe(value)}")
    for title, text in (
        ("use", primitive.usage),
        ("tunables", "\n".join(primitive.tunables)),
        ("code", primitive.code),
    ):
        if text:
            console.print(f"\n[bold]{title}[/]")
            console.print(harmless(text.rstrip()), markup=False, soft_wrap=True)
