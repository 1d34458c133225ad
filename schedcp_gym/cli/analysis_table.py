"""Print the answers of ``schedcp-gym analyze``: text, tables, histograms and costs."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schedcp_gym.control.analysis import Analysis
from schedcp_gym.printing import console_of, ratio_text, safe, table_of, value_text
from schedcp_gym.ui import harmless

#: Histograms printed for a profile: those with the largest sum. JSON has all of them.
HISTOGRAMS = 4
BAR = 40
#: Longer runs of empty buckets than this are printed as one line.
GAP = 2
ROWS = 15


def print_analysis(answer: Analysis, console: Console | None = None) -> None:
    """Print an answer of the analysis engine as text and tables.

    Args:
        answer: The answer.
        console: Print there; by default to standard output.
    """
    console = console_of(console=console)
    data = answer.data
    if "parts" in data:  # the table below has the rest
        console.print(harmless(answer.text.partition("\n")[0]), markup=False)
    elif "profiles" not in data or "tables" in data:  # histograms replace the text; a probe's tables do not
        console.print(harmless(answer.text), markup=False, soft_wrap="path" in data)  # do not wrap lines of a file
    for fault in {run["fault"]: None for run in data.get("runs", {}).values() if run["fault"]}:
        console.print(f"[red]the run failed[/]: {safe(fault)}")
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
    """Return the costs of an answer in one line."""
    made = f"{answer.host_s:.1f} host s" + (" when it was measured; now from the cache" if answer.cached else "")
    return f"cost: {answer.tokens} tokens, {made}, {answer.guest_s:.1f} guest s"


def _table(title: str, texts: Sequence[str], numbers: Sequence[str]) -> Table:
    """Return a table with columns of texts, then columns of numbers."""
    table = table_of(texts, title=f"[bold]{escape(title)}[/]")
    for heading in numbers:
        table.add_column(heading, justify="right", overflow="fold")
    return table


def _groups_table(groups: Sequence[Mapping[str, Any]]) -> Table:
    numbers = ("tasks", "CPU s", "burst p50 ms", "p99", "wait p50 ms", "p99")
    table = _table("tasks by kind", ("name", "kind"), numbers)
    for group in groups[:ROWS]:
        figures = [group[f"{name}_us"] / 1000 for name in ("p50_burst", "p99_burst", "p50_wait", "p99_wait")]
        counts = (str(len(group["tasks"])), f"{group['run_us'] / 1e6:.3f}")
        table.add_row(safe(group["label"]), group["kind"], *counts, *map(value_text, figures))
    return table


def _parts_table(parts: Sequence[Mapping[str, Any]]) -> Table:
    names = list(parts[0]["medians"])
    table = _table("parts of the run, medians; * where the behaviour changes", (), ("from s", "to s", *names))
    for part in parts[:ROWS]:
        began = f"{'*' if part['behaviour'] else ''}{part['from_s']:.2f}"
        table.add_row(began, f"{part['to_s']:.2f}", *(value_text(part["medians"][name]) for name in names))
    return table


def _metrics_table(metrics: Sequence[Mapping[str, Any]]) -> Table:
    compared = any(change["last_ratio"] is not None for change in metrics)
    numbers = ["EEVDF", "now", "vs EEVDF", *(["vs last"] if compared else []), "floor"]
    table = _table("metrics", ("metric",), numbers)
    for change in metrics:
        cells = [value_text(change["before"]), value_text(change["after"]), ratio_text(change["ratio"])]
        if compared:
            cells.append("" if change["last_ratio"] is None else f"{change['last_ratio']:.2f}x")
        cells.append("" if change["floor"] is None else f"{change['floor']:g}x")
        table.add_row(safe(change["name"]), *cells, style="bold" if change["weight"] else "")
    return table


def _classes_table(classes: Sequence[Mapping[str, Any]]) -> Table:
    numbers = ("tasks", "waits, ms each", "p99 wait, ms", "last one ended, s")
    table = _table("classes of tasks: EEVDF → now", ("name",), numbers)
    for change in classes[:ROWS]:
        pairs = (change["wait_ms"], change["p99_wait_ms"], change["end_s"])
        cells = ["" if pair is None else f"{value_text(pair[0])} → {value_text(pair[1])}" for pair in pairs]
        table.add_row(safe(change["label"]), str(change["tasks"]), *cells)
    return table


def _print_profile(console: Console, name: str, profile: Mapping[str, Any]) -> None:
    said = profile.get("says") or profile.get("title") or ""
    title = harmless(f"{name}: {said}" if said else name)
    if "rows" in profile:
        table = _table(title, (), [safe(column) for column in profile["columns"]])
        for row in profile["rows"][:ROWS]:
            table.add_row(*map(_cell, row))
        console.print(table)
        if note := profile.get("note"):
            console.print(harmless(note), markup=False)
        return
    console.print(f"[bold]{escape(title)}[/]")
    by = profile["by"]
    if not by:
        console.print("no events")
    order = sorted(by, key=lambda process: (-by[process].get("total", by[process]["count"]), process))
    for process in order[:HISTOGRAMS]:
        console.print(histogram_text(process, by[process], profile.get("unit", "")), markup=False)
    if len(order) > HISTOGRAMS:
        console.print(f"and {len(order) - HISTOGRAMS} more names (--json prints all)")
    console.print()


def histogram_text(process: str, histogram: Mapping[str, Any], unit: str) -> str:
    """Return a histogram as lines: its count and percentiles, then a bar for each bucket."""
    buckets = histogram["buckets"]
    figures = " ".join(f"{name} {value_text(histogram[name])}" for name in ("p50", "p99") if name in histogram)
    lines = [harmless(f"{process}: {histogram['count']} times, {figures} {unit}".rstrip())]
    most = max((count for _, _, count in buckets), default=0)
    width = max((len(f"{high:,.0f}") for _, high, _ in buckets), default=0)
    for has_counts, group in groupby(buckets, key=lambda bucket: bucket[2] > 0):
        run = list(group)
        if not has_counts and len(run) > GAP:
            lines.append(f"  {'…':>{width}}")
            continue
        for low, high, count in run:
            bar = "█" * (round(BAR * count / most) if most else 0) or ("▏" if count else "")
            lines.append(f"  {low:>{width},.0f} to {high:>{width},.0f} │{bar:<{BAR}}│ {count:,}")
    return "\n".join(lines)


def _cell(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value_text(float(value))
    return "" if value is None else safe(value)
