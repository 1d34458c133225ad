"""What ``schedcp-gym analyze`` prints: the text a model gets, figures as tables and histograms, and the cost."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schedcp_gym.cli.bench_table import PLAIN_WIDTH, value_text
from schedcp_gym.control.analysis import Analysis
from schedcp_gym.ui import harmless

#: Histograms of a profile that are drawn, those with the largest sum; JSON has them all.
HISTOGRAMS = 4
BAR = 40
#: More empty buckets than these in a row are not drawn.
GAP = 2
ROWS = 15


def print_analysis(answer: Analysis, console: Console | None = None) -> None:
    """Prints an answer for a person.

    Args:
        answer: The engine's.
        console: Where; standard output if not given.
    """
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    data = answer.data
    if "parts" in data:  # the table has them
        console.print(harmless(answer.text.partition("\n")[0]), markup=False)
    elif "profiles" not in data or "tables" in data:  # histograms say more than their text; a probe's tables don't
        console.print(harmless(answer.text), markup=False, soft_wrap="path" in data)  # a file keeps its lines
    for fault in {run["fault"]: None for run in data.get("runs", {}).values() if run["fault"]}:
        console.print(f"[red]the run failed[/]: {_safe(fault)}")
    for name, profile in data.get("profiles", {}).items():
        _print_profile(console, name, profile)
    if len(data.get("parts", ())) > 1:
        console.print(_parts_table(data["parts"]))
    if groups := data.get("groups"):
        console.print(_groups_table(groups))
    if isinstance(metrics := data.get("metrics"), list):
        console.print(_metrics_table(metrics))
    if any(one.get("wait_ms") for one in data.get("classes", ())):
        console.print(_classes_table(data["classes"]))
    console.print(f"[dim]{escape(cost_text(answer))}[/]")


def cost_text(answer: Analysis) -> str:
    """What an answer cost, in a line."""
    made = f"{answer.host_s:.1f} host s" + (" when it was made; from the cache now" if answer.cached else "")
    return f"cost: {answer.tokens} tokens, {made}, {answer.guest_s:.1f} guest s"


def _table(title: str, *headings: tuple[str, str]) -> Table:
    table = Table(
        title=escape(title),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1),
    )
    for heading, justify in headings:
        table.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]
    return table


def _groups_table(groups: Sequence[Mapping[str, Any]]) -> Table:
    left, right = "left", "right"
    table = _table(
        "tasks by kind",
        ("name", left),
        ("kind", left),
        *((name, right) for name in ("tasks", "CPU s", "burst p50 ms", "p99", "wait p50 ms", "p99")),
    )
    for group in groups[:ROWS]:
        figures = [group[f"{name}_us"] / 1000 for name in ("p50_burst", "p99_burst", "p50_wait", "p99_wait")]
        table.add_row(
            _safe(group["label"]),
            group["kind"],
            str(len(group["tasks"])),
            f"{group['run_us'] / 1e6:.3f}",
            *(value_text(figure) for figure in figures),
        )
    return table


def _parts_table(parts: Sequence[Mapping[str, Any]]) -> Table:
    names = list(parts[0]["medians"])
    table = _table(
        "parts, medians; * where behaviour changes",
        *((head, "right") for head in ("from s", "to s", *names)),
    )
    for part in parts[:ROWS]:
        began = f"{'*' if part['behaviour'] else ''}{part['from_s']:.2f}"
        table.add_row(began, f"{part['to_s']:.2f}", *(value_text(part["medians"][name]) for name in names))
    return table


def _metrics_table(metrics: Sequence[Mapping[str, Any]]) -> Table:
    compared = any(change["last_ratio"] is not None for change in metrics)
    headings = ["EEVDF", "now", "vs EEVDF", *(["vs last"] if compared else []), "floor"]
    table = _table("metrics", ("metric", "left"), *((name, "right") for name in headings))
    for change in metrics:
        ratio = change["ratio"]
        style = "green" if ratio > 1.005 else "red" if ratio < 0.995 else ""
        cells = [value_text(change["before"]), value_text(change["after"])]
        cells.append(f"[{style}]{ratio:.2f}x[/]" if style else f"{ratio:.2f}x")
        if compared:
            cells.append("" if change["last_ratio"] is None else f"{change['last_ratio']:.2f}x")
        cells.append("" if change["floor"] is None else f"{change['floor']:g}x")
        table.add_row(_safe(change["name"]), *cells, style="bold" if change["weight"] else "")
    return table


def _classes_table(classes: Sequence[Mapping[str, Any]]) -> Table:
    headings = ("tasks", "waits, ms each", "p99 wait, ms", "last one over, s")
    table = _table("classes of tasks: EEVDF → now", ("name", "left"), *((name, "right") for name in headings))
    for change in classes[:ROWS]:
        pairs = (change["wait_ms"], change["p99_wait_ms"], change["end_s"])
        cells = ["" if pair is None else f"{value_text(pair[0])} → {value_text(pair[1])}" for pair in pairs]
        table.add_row(_safe(change["label"]), str(change["tasks"]), *cells)
    return table


def _print_profile(console: Console, name: str, profile: Mapping[str, Any]) -> None:
    if "rows" in profile:
        table = _table(_title(name, profile), *((_safe(column), "right") for column in profile["columns"]))
        for row in profile["rows"][:ROWS]:
            table.add_row(*(_cell(value) for value in row))
        console.print(table)
        if note := profile.get("note"):
            console.print(harmless(note), markup=False)
        return
    console.print(f"[bold]{escape(_title(name, profile))}[/]")
    by = profile["by"]
    if not by:
        console.print("nothing happened")
    order = sorted(by, key=lambda process: (-by[process].get("total", by[process]["count"]), process))
    for process in order[:HISTOGRAMS]:
        console.print(histogram_text(process, by[process], profile.get("unit", "")), markup=False)
    if len(order) > HISTOGRAMS:
        console.print(f"and {len(order) - HISTOGRAMS} more names (--json has them all)")
    console.print()


def _title(name: str, profile: Mapping[str, Any]) -> str:
    said = profile.get("says") or profile.get("title") or ""
    return harmless(f"{name}: {said}" if said else name)


def histogram_text(process: str, histogram: Mapping[str, Any], unit: str) -> str:
    """A histogram as bars, with its percentiles above."""
    buckets = histogram["buckets"]
    figures = " ".join(f"{name} {value_text(histogram[name])}" for name in ("p50", "p99") if name in histogram)
    lines = [harmless(f"{process}: {histogram['count']} times, {figures} {unit}".rstrip())]
    most = max((count for _, _, count in buckets), default=0)
    width = max((len(f"{high:,.0f}") for _, high, _ in buckets), default=0)
    for holds, group in groupby(buckets, key=lambda bucket: bucket[2] > 0):
        run = list(group)
        if not holds and len(run) > GAP:
            lines.append(f"  {'…':>{width}}")
            continue
        for low, high, count in run:
            bar = "█" * (round(BAR * count / most) if most else 0) or ("▏" if count else "")
            lines.append(f"  {low:>{width},.0f} to {high:>{width},.0f} │{bar:<{BAR}}│ {count:,}")
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value_text(float(value))
    return _safe(str(value))


def _safe(text: str) -> str:
    return escape(harmless(text))
