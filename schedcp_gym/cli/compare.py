"""The command ``schedcp-gym compare``: compare agents by the scores of their runs."""

import math
import sys
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Annotated

import typer

from schedcp_gym.cli import options
from schedcp_gym.spec import BadInput

if TYPE_CHECKING:
    from rich.table import Table

    from schedcp_gym.bench.comparison import Comparison, Figures
    from schedcp_gym.bench.statistics import Estimate

WIDTH = 150


@options.command(
    "schedcp-gym compare runs/suite_standard",
    "schedcp-gym compare runs/suite_smoke --csv agents.csv --plot agents.html",
    "schedcp-gym compare runs/sched runs/naive --json",
)
def compare(
    runs: options.RunsArgument,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999, help="Confidence of the intervals.")] = 0.95,
    prices: options.PricesOption = None,
    csv: options.CsvOption = None,
    plot: options.PlotOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Compare agents. A run's score is the reward of its chosen policy on workload seeds that no search has used.

    Prints interquartile means with stratified bootstrap intervals, performance profiles, probabilities of improvement,
    distances to the known bound and to the best run, costs, and EEVDF compared with itself. A run without a working
    policy has the lowest score. Unfinished runs are left out and named.
    """
    from schedcp_gym.bench.plot import check_plot
    from schedcp_gym.cli.costs import read_prices
    from schedcp_gym.run.scores import read_scores

    options.check_outputs(csv)
    check_plot(plot)
    found = read_scores(runs, read_prices(prices))
    for folder in found.unended:
        print(f"left out: {folder} has not ended", file=sys.stderr)
    if not found.scores:
        raise BadInput("none of these runs has ended: continue one with the command that started it")

    from schedcp_gym.bench.comparison import as_plain, compare_scores, rows_of

    comparison = compare_scores(found.scores, found.control, confidence=confidence)
    if csv:
        import pandas as pd

        pd.DataFrame(rows_of(comparison)).to_csv(csv, index=False)
    if plot:
        from schedcp_gym.bench.comparison_plot import write_comparison

        write_comparison(comparison, plot)
    if as_json:
        from schedcp_gym.printing import print_json

        print_json(as_plain(comparison))
    else:
        print_comparison(comparison, found.budgets)


def print_comparison(comparison: "Comparison", budgets: Collection[str]) -> None:
    """Print the tables and the notes that explain them."""
    from rich.markup import escape

    from schedcp_gym.printing import console_of

    console = console_of(WIDTH)
    for table in (scores_table, _profile_table, _improvement_table, _costs_table):
        if table is not _improvement_table or len(comparison.figures) > 1:
            console.print(table(comparison))
    for line in notes(comparison, budgets):
        console.print(escape(line), soft_wrap=True)


def scores_table(comparison: "Comparison") -> "Table":
    """Return the agents' scores, and those of EEVDF against itself."""
    from schedcp_gym.bench.comparison import CONTROL

    interval = f"{100 * comparison.confidence:g} % interval"
    columns: dict[str, Callable[[Figures], str]] = {
        "runs": lambda one: str(one.runs),
        "tasks": lambda one: str(one.tasks),
        "below EEVDF": lambda one: str(one.worse),
        "IQM": lambda one: _times(one.iqm.value),
        interval: lambda one: interval_text(one.iqm, _times),
        "variants": lambda one: "-" if one.variant_iqm is None else _times(one.variant_iqm.value),
        "P(above EEVDF)": lambda one: (
            f"{one.above_eevdf.value:.2f} ({interval_text(one.above_eevdf, '{:.2f}'.format)})"
        ),
        "to the bound": lambda one: "-" if one.gap_to_bound is None else _times(one.gap_to_bound.value),
        "to the best": lambda one: _times(one.gap_to_best.value),
    }
    table = _agents_table("scores on held-out seeds; 1.00x is EEVDF", comparison, columns)
    if control := comparison.control:
        table.add_section()
        iqm = control.iqm
        table.add_row(CONTROL, str(control.pairs), "", "", _exact(iqm.value), interval_text(iqm, _exact))
    return table


def _profile_table(comparison: "Comparison") -> "Table":
    """Return the share of runs above some improvement ratios."""
    from schedcp_gym.bench.comparison import RATIOS

    def share(place: int) -> "Callable[[Figures], str]":
        return lambda one: f"{100 * one.profile[place]:.0f} %"

    columns = {f"{ratio:g}x": share(place) for place, ratio in enumerate(RATIOS)}
    return _agents_table("performance profile: share of runs above", comparison, columns)


def _improvement_table(comparison: "Comparison") -> "Table":
    """Return the probability that a run of one agent scores above a run of another."""
    from schedcp_gym.printing import safe

    def against(other: str) -> "Callable[[Figures], str]":
        def text(one: "Figures") -> str:
            value = comparison.improvement[one.agent].get(other)
            return "" if other == one.agent else "-" if value is None else f"{value:.2f}"

        return text

    columns = {safe(other): against(other) for other in comparison.agents}
    title = "probability of improvement: a run of the row's agent scores above a run of the column's"
    return _agents_table(title, comparison, columns)


def _costs_table(comparison: "Comparison") -> "Table":
    """Return the mean costs of a run of each agent."""
    columns: dict[str, Callable[[Figures], str]] = {
        "evaluations": lambda one: f"{one.evaluations:,.1f}",
        "guest s": lambda one: f"{one.virtual_s:,.1f}",
        "tokens": lambda one: f"{one.tokens:,.0f}",
        "dollars": lambda one: "unknown" if one.usd is None else f"{one.usd:,.4f}",
    }
    return _agents_table("mean costs of a run", comparison, columns)


def _agents_table(title: str, comparison: "Comparison", columns: "dict[str, Callable[[Figures], str]]") -> "Table":
    """Return a table with a row for each agent; ``columns`` gives the text of each heading's cells."""
    from schedcp_gym.printing import safe, table_of

    rows = [[safe(one.agent), *(text(one) for text in columns.values())] for one in comparison.figures]
    return table_of(["agent", *columns], rows, title=title, right=columns)


def notes(comparison: "Comparison", budgets: Collection[str]) -> list[str]:
    """Return the notes that explain the tables of a comparison."""
    from schedcp_gym.bench.comparison import CONTROL
    from schedcp_gym.ui import harmless

    gaps = "to the bound, to the best: mean improvement ratio that is missing to the known bound, and to the best run"
    lines = [f"{gaps} on the same task"]
    if comparison.control is None:
        lines.append("no A/A control: EEVDF was measured in one run only; compare several runs on a task")
    else:
        lines.append(f"{CONTROL}: pairs of runs that measured EEVDF on the same held-out seed")
    if any(math.isnan(one.iqm.low) for one in comparison.figures):
        lines.append("no interval: it needs two seeds or more on each task")
    if len(budgets) > 1:
        lines.append(f"budgets differ, so scores do not compare agents alone: {'; '.join(sorted(budgets))}")
    tasks = {one.task for one in comparison.scores}
    for figures in comparison.figures:
        mine = {one.task for one in comparison.scores if one.agent == figures.agent}
        if missing := sorted(tasks - mine):
            name = harmless(figures.agent)
            lines.append(f"{name} has no run on: {'; '.join(missing)}: its means are over fewer tasks")
    return lines


def _times(reward: float) -> str:
    return f"{math.exp(reward):.3f}x"


def interval_text(estimate: "Estimate", text: Callable[[float], str]) -> str:
    """Return both ends of an interval, or one if they read the same, or ``-`` if the interval is unknown."""
    if math.isnan(estimate.low):
        return "-"
    return " to ".join(dict.fromkeys((text(estimate.low), text(estimate.high))))


def _exact(score: float) -> str:
    # On the virtual clock EEVDF's score against itself is 0 to the last digit.
    return "exactly 1x" if score == 0 else f"{math.exp(score):.6f}x"
