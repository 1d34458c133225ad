"""Output of commands: tables in one style, numbers as text, and JSON."""

import json
from collections.abc import Iterable
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schedcp_gym.ui import harmless

#: Ratios nearer to 1 than this are printed without a colour.
NO_CHANGE = 0.005


def console_of(width: int = 100, console: Console | None = None) -> Console:
    """Return a console that prints to standard output.

    Args:
        width: Columns to use if the output is not a terminal.
        console: Use this console instead, for example one that writes to a string.
    """
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = width
    return console


def table_of(
    headings: Iterable[str],
    rows: Iterable[Iterable[str]] = (),
    *,
    title: str = "",
    right: Iterable[str] = (),
    whole: Iterable[str] = (),
) -> Table:
    """Return a table.

    Args:
        headings: One for each column.
        rows: The cells, as rich markup; more rows can be added to the table later.
        title: Text above the table.
        right: Headings of the columns that are aligned to the right, like numbers.
        whole: Headings of the columns that are never wrapped.

    Example:
        >>> console_of().print(table_of(("policy", "ratio"), [("fifo", "1.02x")], right=["ratio"]))  # doctest: +SKIP
    """
    table = Table(title=title or None, title_justify="left", title_style="", box=box.SIMPLE_HEAD, pad_edge=False)
    right, whole = set(right), set(whole)
    for heading in headings:
        justify: Any = "right" if heading in right else "left"
        table.add_column(heading, justify=justify, overflow="fold", no_wrap=heading in whole)
    for row in rows:
        table.add_row(*row)
    return table


def safe(text: object) -> str:
    """Return a text of a policy's author or of the guest so that rich prints it as it is."""
    return escape(harmless(str(text)))


def value_text(value: float | None) -> str:
    """Return a number with at least four digits; the JSON output has the exact one."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def ratio_text(ratio: float | None) -> str:
    """Return an improvement ratio: green above 1, red below, ``-`` for None."""
    if ratio is None:
        return "-"
    style = "green" if ratio > 1 + NO_CHANGE else "red" if ratio < 1 - NO_CHANGE else ""
    return f"[{style}]{ratio:.2f}x[/]" if style else f"{ratio:.2f}x"


def assignments_text(values: Iterable[tuple[str, object]], separator: str = ", ") -> str:
    """Return ``name=value`` pairs in one line."""
    return separator.join(f"{name}={value}" for name, value in values)


def print_json(value: Any) -> None:
    """Print dataclasses, mappings and sequences as JSON. An infinite or undefined number becomes ``null``."""
    from pydantic_core import to_jsonable_python

    print(json.dumps(to_jsonable_python(value, inf_nan_mode="null"), indent=1))
