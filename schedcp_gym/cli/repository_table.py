"""Print the records of ``schedcp-gym repository``."""

import math
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from schedcp_gym.control.repository import (
    Antipattern,
    PolicyRecord,
    Primitive,
    Repository,
    SearchHit,
    SeedMean,
    Standing,
)
from schedcp_gym.control.repository.card import read_card
from schedcp_gym.control.repository.entry import facets_of
from schedcp_gym.printing import assignments_text, console_of, safe, table_of, value_text
from schedcp_gym.ui import harmless

STANDINGS = 12
METRICS = 4
_Record = PolicyRecord | Antipattern | Primitive


def _table(*headings: str) -> Table:
    numbers = ("score", "seeds", "results")
    return table_of(headings, right=numbers, whole=numbers)


def print_hits(hits: Sequence[SearchHit], best: Mapping[str, Standing | None], console: Console | None = None) -> None:
    """Print what a search found.

    Args:
        hits: The best first.
        best: The best result of each policy, by its id.
        console: Print there; by default to standard output.
    """
    console = console_of(console=console)
    if not hits:
        console.print("nothing found; fewer filters may help")
        return
    table = _table("score", "name", "what", *(["best measured"] if best else []))
    for hit in hits:
        cells = [f"{hit.score:.2f}", safe(hit.record.name), safe(_description(hit.record))]
        if best:
            measured = isinstance(hit.record, PolicyRecord)
            cells.append(_best_text(best.get(hit.record.id)) if measured else "")
        table.add_row(*cells)
    console.print(table)


def print_records(records: Sequence[_Record], console: Console | None = None) -> None:
    """Print a list of records."""
    console = console_of(console=console)
    if not records:
        console.print("there are none")
        return
    table = _table("name", "status", "for", "what")
    for record in records:
        status = record.status.value if isinstance(record, PolicyRecord) else record.kind
        classes = ", ".join(_classes(record))
        table.add_row(safe(record.name), status, safe(classes), safe(_description(record)))
    console.print(table)


def _classes(record: _Record) -> list[str]:
    if isinstance(record, Primitive):
        return list(record.used_by) if len(record.used_by) <= METRICS else [f"{len(record.used_by)} policies"]
    return sorted({one for facet in facets_of(record) if (one := facet.split("|")[0]) != "*"})


def _description(record: _Record) -> str:
    if isinstance(record, Antipattern):
        return record.failed_because
    if isinstance(record, Primitive):
        return record.title
    values = assignments_text(record.values.items())
    return read_card(record.card).title + (f" [{values}]" if values else "")


def _best_text(standing: Standing | None) -> str:
    if standing is None:
        return "[dim]not measured[/]"
    if standing.reward is None:
        return f"{safe(standing.workload)}: {standing.failures} of {standing.results} failed"
    return f"{safe(standing.workload)}: {_reward_text(standing.reward)}"


def _reward_text(reward: SeedMean) -> str:
    """Return a reward as an improvement ratio over EEVDF with its interval."""
    style = "green" if reward.mean > 0 else "red"
    ends = ""
    if reward.low is not None and reward.high is not None:
        ends = f" ({math.exp(reward.low):.2f} to {math.exp(reward.high):.2f})"
    return f"[{style}]{math.exp(reward.mean):.2f}x[/]{ends}"


def print_policy(repository: Repository, record: PolicyRecord, console: Console | None = None) -> None:
    """Print everything about a policy except its source."""
    console = console_of(console=console)
    console.print(f"[bold]{safe(record.name)}[/] · {record.id} · {record.status} · {safe(record.author or 'unknown')}")
    console.print(f"\n{safe(record.card)}\n", soft_wrap=True)
    for parent in record.parents:
        console.print(f"{parent.how} from {safe(parent.name)}" + (f": {safe(parent.note)}" if parent.note else ""))
    if children := repository.descendants(record.id):
        console.print(f"made from it: {safe(', '.join(child.name for child in children))}")
    meant = [*_classes(record), *record.workloads]
    console.print(f"meant for: {safe(', '.join(meant) or 'anything')}")
    if record.values:
        console.print(f"values: {safe(assignments_text(record.values.items()))}")
    _print_standings(console, repository.standings(record.id))
    for lesson in repository.antipatterns(record.name):
        console.print(f"[yellow]failed because[/] {safe(lesson.failed_because)}", soft_wrap=True)


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
            f"[bold]{safe(workload)}[/]" if standing.proven else safe(workload),
            safe(assignments_text(standing.values) or "-"),
            safe(standing.machine),
            str(standing.reward.seeds if standing.reward else 0),
            f"{standing.results}{failed}",
            _reward_text(standing.reward) if standing.reward else "-",
            safe("\n".join(metrics[:METRICS])),
        )
    console.print(table)
    if len(found) > STANDINGS:
        console.print(f"and {len(found) - STANDINGS} more (--json prints all)")


def print_primitive(primitive: Primitive, console: Console | None = None) -> None:
    """Print a primitive with its requirements and its code."""
    console = console_of(console=console)
    console.print(
        f"[bold]{safe(primitive.name)}[/]: {safe(primitive.title)}\n\n{safe(primitive.card)}\n", soft_wrap=True
    )
    needs = {
        "headers": ", ".join(f"<{header}>" for header in primitive.headers),
        "maps": ", ".join(primitive.maps),
        "compiles in": ", ".join(primitive.used_by),
    }
    for name, value in needs.items():
        if value:
            console.print(f"{name}: {safe(value)}")
    parts = {"use": primitive.usage, "tunables": "\n".join(primitive.tunables), "code": primitive.code}
    for title, text in parts.items():
        if text:
            console.print(f"\n[bold]{title}[/]")
            console.print(harmless(text.rstrip()), markup=False, soft_wrap=True)
