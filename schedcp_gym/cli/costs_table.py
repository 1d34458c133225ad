"""What ``schedcp-gym costs`` prints: a column for each run, and what the figures stand for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schedcp_gym.run.costs import RunCosts, Spent
from schedcp_gym.ui import harmless

#: Columns where there is no terminal to ask.
PLAIN_WIDTH = 140


@dataclass(frozen=True)
class Figure:
    """A figure that is shown of a cost; ``is_charged``: it is what a language model's provider charges for."""

    words: str
    value: Callable[[Spent], float | None]
    digits: int
    is_charged: bool = False


FIGURES = (
    Figure("calls", lambda spent: spent.calls, 1),
    Figure("tokens", lambda spent: spent.tokens, 0, is_charged=True),
    Figure("of these in answers", lambda spent: spent.completion_tokens, 0, is_charged=True),
    Figure("dollars", lambda spent: spent.usd, 4, is_charged=True),
    Figure("model's host s", lambda spent: spent.model_host_s, 1),
    Figure("guest s", lambda spent: spent.guest_s, 1),
)
PAPER = "the SchedCP paper: 13 times between its naive agent and its own"


def print_costs(costs: Sequence[RunCosts]) -> None:
    """Prints the table, and notes on what its figures are."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    console.print(costs_table(costs))
    for line in notes(costs):
        console.print(escape(line), soft_wrap=True)


def costs_table(costs: Sequence[RunCosts]) -> Table:
    """A column for each; in brackets how many times the first one's cost it is."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for one in costs:
        table.add_column(escape(harmless(one.name)), justify="right", overflow="fold")
    for words, text in _HEAD.items():
        table.add_row(words, *(escape(harmless(text(one))) for one in costs))
    several = any(one.runs > 1 for one in costs)
    _add_costs(table, "in all" if several else "in all: per best policy", costs, [one.spent for one in costs])
    for name in costs[0].shares():
        if name != "best policy" or several:
            _add_costs(table, f"per {name}", costs, [one.shares()[name] for one in costs])
    return table


def notes(costs: Sequence[RunCosts]) -> list[str]:
    """What has to be known to read the table."""
    lines = []
    if len(costs) > 1:
        lines.append(f"(n x): times the cost in the first column, {harmless(costs[0].name)}; {PAPER}")
    models = {one.models.models for one in costs if one.calls}
    if len(models) > 1:
        lines.append("different models were asked: compare tokens, or give --prices")
    for one in costs:
        if one.is_stand_in:
            which = ", ".join(one.models.models)
            lines.append(
                f"{harmless(one.name)}: {which} is no language model, none was called: tokens (~) are estimates of "
                "what one would have read and written; how agents compare with it says nothing of how they do with one"
            )
        elif one.guessed_calls:
            lines.append(
                f"{harmless(one.name)}: tokens of {one.guessed_calls} calls are estimates, or the most they can be"
            )
        if one.spent.usd is None:
            lines.append(f"{harmless(one.name)}: the price of some calls is not known: give --prices")
    return lines


def _add_costs(table: Table, heading: str, costs: Sequence[RunCosts], spent: Sequence[Spent | None]) -> None:
    table.add_section()
    table.add_row(f"[bold]{escape(heading)}[/]")
    for figure in FIGURES:
        values = [None if one is None else figure.value(one) for one in spent]
        marks = ["~" if figure.is_charged and one.is_stand_in else "" for one in costs]
        bases = [None, *values[:1] * (len(values) - 1)]
        cells = [
            _cell(value, base, figure.digits, mark) for value, base, mark in zip(values, bases, marks, strict=True)
        ]
        table.add_row(f"  {figure.words}", *cells)


def _cell(value: float | None, base: float | None, digits: int, mark: str) -> str:
    if value is None:
        return "-"
    text = mark + f"{value:,.{digits}f}".removesuffix(".0")
    if not base:
        return text
    times = value / base
    return f"{text} ({times:.1f}x)" if times >= 1 else f"{text} ({times:.2g}x)"


def _best_text(one: RunCosts) -> str:
    return "-" if one.improvement is None else f"{one.improvement:.2f}x"


def _models_text(one: RunCosts) -> str:
    text = ", ".join(one.models.models) or "none"
    return f"{text} (no LLM)" if one.is_stand_in else text


_HEAD: dict[str, Callable[[RunCosts], str]] = {
    "agent": lambda one: one.agent,
    "workload": lambda one: ", ".join(one.workloads) if len(one.workloads) <= 3 else f"{len(one.workloads)} of them",
    "model": _models_text,
    "runs": lambda one: str(one.runs),
    "evaluations": lambda one: str(one.evaluations),
    "working policies": lambda one: str(one.working),
    "better than EEVDF": lambda one: str(one.better),
    "verified": lambda one: "-" if one.verified is None else str(one.verified),
    "best, in the search": _best_text,
}
