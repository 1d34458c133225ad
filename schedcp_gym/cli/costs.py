"""The command ``schedcp-gym costs``: compare the costs of runs."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from schedcp_gym.cli import options
from schedcp_gym.spec import BadInput

if TYPE_CHECKING:
    from schedcp_gym.llm import Prices
    from schedcp_gym.run.costs import RunCosts, Spent

WIDTH = 140
PAPER = "in the SchedCP paper a naive agent cost 13 times as much as its own"
#: Costs by their words in the table: attribute of ``Spent``, digits, and if a language model's provider charges it.
SPENT = {
    "calls": ("calls", 1, False),
    "tokens": ("tokens", 0, True),
    "of these in answers": ("completion_tokens", 0, True),
    "dollars": ("usd", 4, True),
    "model's host s": ("model_host_s", 1, False),
    "guest s": ("guest_s", 1, False),
}


@options.command(
    "schedcp-gym costs runs/sched runs/naive",
    "schedcp-gym costs runs/sched runs/naive --prices 3,15",
    "schedcp-gym costs runs/2026-* --by-agent --json",
)
def costs(
    runs: options.RunsArgument,
    agents: Annotated[
        bool, typer.Option("--by-agent", help="Add up the runs of each agent that used the same model.")
    ] = False,
    prices: options.PricesOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Compare what runs cost: calls, tokens, dollars and seconds for each working, better, verified and best policy.

    The first run is what the others are compared with. A run of offline-rules calls no language model: its tokens are
    estimates of what a model would have read and written for the same prompts and answers, and are marked with ~.
    """
    from schedcp_gym.run.costs import by_agent, read_costs
    from schedcp_gym.run.folder import open_run

    same = read_prices(prices)
    found = [read_costs(open_run(folder), same) for folder in runs]
    found = by_agent(found) if agents else found
    if as_json:
        from schedcp_gym.printing import print_json

        print_json([one.as_plain() for one in found])
    else:
        _print(found)


def read_prices(text: str | None) -> "Prices | None":
    """Return the prices that ``--prices`` names, or None.

    Raises:
        BadInput: They are not two numbers of 0 or more.
    """
    from pydantic import ValidationError

    from schedcp_gym.llm import Prices

    if text is None:
        return None
    try:
        prompt_usd, completion_usd = (float(word) for word in text.split(","))
        return Prices(prompt_usd, completion_usd)
    except (ValueError, ValidationError):
        raise BadInput(f"--prices takes two numbers of 0 or more, like 3,15, not {text!r}") from None


def _print(costs: "Sequence[RunCosts]") -> None:
    """Print a table with a column for each run, and notes.

    A number in brackets is how many times the first run's cost it is.
    """
    from rich.markup import escape

    from schedcp_gym.printing import console_of, safe, table_of

    names = [safe(one.name) for one in costs]
    table = table_of(["", *names], right=names)
    for words, text in _head().items():
        table.add_row(words, *(safe(text(one)) for one in costs))
    several = any(one.runs > 1 for one in costs)
    shares = [one.shares() for one in costs]
    groups: dict[str, list[Spent | None]] = {
        "total" if several else "total: per best policy": [one.spent for one in costs]
    }
    groups |= {f"per {name}": [one[name] for one in shares] for name in shares[0] if name != "best policy" or several}
    for heading, spent in groups.items():
        table.add_section()
        table.add_row(f"[bold]{escape(heading)}[/]")
        for words, (attribute, digits, is_charged) in SPENT.items():
            values: list[float | None] = [None if one is None else getattr(one, attribute) for one in spent]
            cells = []
            for place, (run, value) in enumerate(zip(costs, values, strict=True)):
                mark = "~" if is_charged and run.is_stand_in else ""
                cells.append(_cell(value, values[0] if place else None, mark, digits))
            table.add_row(f"  {words}", *cells)
    console = console_of(WIDTH)
    console.print(table)
    for line in _notes(costs):
        console.print(safe(line), soft_wrap=True)


def _notes(costs: "Sequence[RunCosts]") -> list[str]:
    """Return the notes that explain the table."""
    lines = []
    if len(costs) > 1:
        lines.append(f"(n x): times the cost in the first column, {costs[0].name}; {PAPER}")
    if len({one.models.models for one in costs if one.calls}) > 1:
        lines.append("the runs used different models: compare tokens, or give --prices")
    for one in costs:
        if one.is_stand_in:
            which = ", ".join(one.models.models)
            lines.append(
                f"{one.name}: {which} is no language model, and none was called: tokens (~) are estimates of what one "
                "would have read and written; the comparison of agents may be different with a language model"
            )
        elif one.guessed_calls:
            lines.append(f"{one.name}: tokens of {one.guessed_calls} calls are estimates or upper limits")
        if one.spent.usd is None:
            lines.append(f"{one.name}: the price of some calls is unknown: give --prices")
    return lines


def _cell(value: float | None, base: float | None, mark: str, digits: int) -> str:
    if value is None:
        return "-"
    text = mark + f"{value:,.{digits}f}".removesuffix(".0")
    if not base:
        return text
    times = value / base
    return f"{text} ({times:.1f}x)" if times >= 1 else f"{text} ({times:.2g}x)"


def _head() -> "dict[str, Callable[[RunCosts], str]]":
    """Return the first rows of the table: words, and the function that gives a run's text."""

    def models(one: "RunCosts") -> str:
        return (", ".join(one.models.models) or "none") + (" (no LLM)" if one.is_stand_in else "")

    def workloads(one: "RunCosts") -> str:
        return ", ".join(one.workloads) if len(one.workloads) <= 3 else f"{len(one.workloads)} of them"

    return {
        "agent": lambda one: one.agent,
        "workload": lambda one: (
            ", ".join(one.workloads) if len(one.workloads) <= 3 else f"{len(one.workloads)} of them"
        ),
        "model": models,
        "runs": lambda one: str(one.runs),
        "evaluations": lambda one: str(one.evaluations),
        "working policies": lambda one: str(one.working),
        "better than EEVDF": lambda one: str(one.better),
        "verified": lambda one: "-" if one.verified is None else str(one.verified),
        "best, in the search": lambda one: "-" if one.improvement is None else f"{one.improvement:.2f}x",
    }
