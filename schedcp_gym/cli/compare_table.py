"""What ``schedcp-gym compare`` prints."""

import math
from collections.abc import Callable, Collection

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schedcp_gym.bench.comparison import RATIOS, Comparison, Figures
from schedcp_gym.bench.statistics import Estimate
from schedcp_gym.ui import harmless

#: Columns where there is no terminal to ask.
PLAIN_WIDTH = 150
CONTROL = "EEVDF against EEVDF"


def print_comparison(comparison: Comparison, budgets: Collection[str]) -> None:
    """Prints the tables, and notes on what has to be known to read them."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    console.print(scores_table(comparison))
    console.print(profile_table(comparison))
    if len(comparison.figures) > 1:
        console.print(improvement_table(comparison))
    console.print(costs_table(comparison))
    for line in notes(comparison, budgets):
        console.print(escape(line), soft_wrap=True)


def scores_table(comparison: Comparison) -> Table:
    """What the agents scored, and the A/A control."""
    table = _table("scores on held-out seeds; 1.00x is EEVDF")
    interval = f"{100 * comparison.confidence:g} % interval"
    for heading in ("agent", "runs", "tasks", "below EEVDF", "IQM", interval, "variants", "P(above EEVDF)"):
        is_name = heading == "agent"
        table.add_column(heading, justify="left" if is_name else "right", no_wrap=not is_name, overflow="fold")
    table.add_column("to the bound", justify="right", no_wrap=True)
    table.add_column("to the best", justify="right", no_wrap=True)
    for one in comparison.figures:
        table.add_row(
            escape(harmless(one.agent)),
            str(one.runs),
            str(one.tasks),
            str(one.worse),
            times(one.iqm.value),
            interval_text(one.iqm, times),
            "-" if one.variant_iqm is None else times(one.variant_iqm.value),
            f"{one.above_eevdf.value:.2f} ({interval_text(one.above_eevdf, '{:.2f}'.format)})",
            *("-" if gap is None else times(gap.value) for gap in (one.gap_to_bound, one.gap_to_best)),
        )
    if control := comparison.control:
        table.add_section()
        iqm = control.iqm
        table.add_row(CONTROL, str(control.pairs), "", "", _exact(iqm.value), interval_text(iqm, _exact))
    return table


def profile_table(comparison: Comparison) -> Table:
    """The share of runs above some improvement ratios."""
    table = _table("performance profile: share of runs above")
    table.add_column("agent", overflow="fold")
    for ratio in RATIOS:
        table.add_column(f"{ratio:g}x", justify="right")
    for one in comparison.figures:
        table.add_row(escape(harmless(one.agent)), *(f"{100 * share:.0f} %" for share in one.profile))
    return table


def improvement_table(comparison: Comparison) -> Table:
    """How likely a run of one agent scores above one of another."""
    table = _table("probability of improvement: a run of the row's agent scores above one of the column's")
    table.add_column("agent", overflow="fold")
    for agent in comparison.agents:
        table.add_column(escape(harmless(agent)), justify="right", overflow="fold")
    for agent in comparison.agents:
        row = comparison.improvement[agent]
        cells = ["" if other == agent else _probability(row[other]) for other in comparison.agents]
        table.add_row(escape(harmless(agent)), *cells)
    return table


def costs_table(comparison: Comparison) -> Table:
    """What a run of each agent took."""
    table = _table("mean of a run")
    table.add_column("agent", overflow="fold")
    columns: dict[str, Callable[[Figures], str]] = {
        "evaluations": lambda one: f"{one.evaluations:,.1f}",
        "guest s": lambda one: f"{one.virtual_s:,.1f}",
        "tokens": lambda one: f"{one.tokens:,.0f}",
        "dollars": lambda one: "unknown" if one.usd is None else f"{one.usd:,.4f}",
    }
    for heading in columns:
        table.add_column(heading, justify="right")
    for one in comparison.figures:
        table.add_row(escape(harmless(one.agent)), *(text(one) for text in columns.values()))
    return table


def notes(comparison: Comparison, budgets: Collection[str]) -> list[str]:
    """What has to be known to read the tables."""
    gaps = "to the bound, to the best: how many times better the known bound is in the mean, or the best of these runs"
    lines = [f"{gaps} on the task"]
    if comparison.control is None:
        lines.append("no A/A control: EEVDF was measured in one run only; compare several runs on a task")
    else:
        lines.append(f"{CONTROL}: runs that measured it on the same held-out seed, in pairs")
    if any(math.isnan(one.iqm.low) for one in comparison.figures):
        lines.append("no interval: it takes two seeds or more on each task")
    if len(budgets) > 1:
        lines.append(f"budgets differ, so scores do not compare agents alone: {'; '.join(sorted(budgets))}")
    tasks = {one.task for one in comparison.scores}
    for figures in comparison.figures:
        mine = {one.task for one in comparison.scores if one.agent == figures.agent}
        if missing := sorted(tasks - mine):
            lines.append(f"{harmless(figures.agent)} has no run on: {'; '.join(missing)}: its means are of other tasks")
    return lines


def times(reward: float) -> str:
    """A score as an improvement ratio."""
    return f"{math.exp(reward):.3f}x"


def interval_text(estimate: Estimate, text: Callable[[float], str]) -> str:
    """Both ends of an interval."""
    if math.isnan(estimate.low):
        return "-"
    return " to ".join(dict.fromkeys((text(estimate.low), text(estimate.high))))


def _exact(score: float) -> str:
    # That it is 0 to the last digit is what the virtual clock promises.
    return "exactly 1x" if score == 0 else f"{math.exp(score):.6f}x"


def _probability(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="", box=box.SIMPLE_HEAD, pad_edge=False)
