"""Print the results of ``schedcp-gym bench``: a line for each result, the table, and a summary of each policy."""

from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schedcp_gym.bench import BenchResult, PolicyTotal, Suite, totals
from schedcp_gym.printing import ratio_text, table_of, value_text
from schedcp_gym.ui import harmless

REASON_LIMIT = 160


def line_of(result: BenchResult) -> str:
    """Return a result in one line of rich markup."""
    if not result.measured.ok:
        return f"[red]{_name(result)}: {escape(reason_of(result))}[/]"
    spent = "from the cache" if result.measured.cached else f"{result.host_s:.1f} s"
    return f"{_name(result)}: {result.metric} {_with_unit(result)} ({spent})"


def reason_of(result: BenchResult) -> str:
    """Return the reason why a result is not ok, in one line."""
    message = harmless(" ".join(result.measured.message.split()))
    short = message if len(message) <= REASON_LIMIT else f"{message[: REASON_LIMIT - 1]}…"
    return f"{result.measured.outcome}: {short}"


def print_suite(console: Console, suite: Suite, results: Sequence[BenchResult]) -> None:
    """Print the table, the reasons of failures and a summary of each policy."""
    console.print(suite_table(suite, results))
    for result in results:
        measured = result.measured
        if not measured.ok:
            console.print(f"[red]{_name(result)}[/]: {escape(reason_of(result))}", soft_wrap=True)
        elif measured.pages_scanned:
            why = f"the guest ran short of memory ({measured.pages_scanned} pages scanned)"
            console.print(f"[yellow]{result.workload.name}[/]: {why}: the result may not be exact", soft_wrap=True)
    summaries = totals(results)
    width = max((len(total.policy) for total in summaries), default=0)
    for total in summaries:
        console.print(f"[bold]{escape(total.policy):<{width}}[/]  {_total_text(total)}", soft_wrap=True)


def suite_table(suite: Suite, results: Sequence[BenchResult]) -> Table:
    """Return the table: a row for each workload, policy and seed."""
    against = any(result.ratio is not None and not result.policy.is_eevdf for result in results)
    title = f"{suite.scale} scale, {suite.machine.describe()}"
    title += f", objective {suite.objective}" if suite.objective else ""
    title += f", medians of {suite.repeats} repeats" if suite.repeats > 1 else ""
    columns = {
        "workload": True,
        "policy": len(suite.policies) > 1,
        "seed": len(suite.seeds) > 1,
        "metric": True,
        "value": True,
        "vs EEVDF": against,
        "possible": True,
        "outcome": True,
        "host s": True,
    }
    shown = [heading for heading, is_shown in columns.items() if is_shown]
    numbers = ("seed", "value", "vs EEVDF", "possible", "host s")
    table = table_of(shown, title=escape(title), right=numbers, whole=shown[shown.index("metric") :])
    table.columns[0].min_width = 12
    for name, group in groupby(results, key=lambda result: result.workload.name):
        rows = list(group)
        for place, result in enumerate(rows):
            cells = {**_cells(result), "workload": escape(name) if place == 0 else ""}
            table.add_row(*(cells[heading] for heading in shown))
        if len(rows) > 1:
            table.add_section()
    notes = ["possible: share of the workload's best possible value"] if any(one.possible for one in results) else []
    notes += ["* from the cache"] if any(result.measured.cached for result in results) else []
    table.caption, table.caption_justify = "; ".join(notes) or None, "left"
    return table


def _cells(result: BenchResult) -> dict[str, str]:
    measured = result.measured
    return {
        "policy": escape(result.policy.name),
        "seed": str(result.seed),
        "metric": escape(result.metric),
        "value": _with_unit(result) if measured.ok else "-",
        "vs EEVDF": ratio_text(result.ratio),
        "possible": "" if result.possible is None else f"{100 * result.possible:.1f} %",
        "outcome": "ok" if measured.ok else f"[red]{measured.outcome}[/]",
        "host s": f"{result.host_s:.1f}{'*' if measured.cached else ' '}",
    }


def _name(result: BenchResult) -> str:
    return escape(f"{result.policy.name} on {result.workload.name}, seed {result.seed}")


def _with_unit(result: BenchResult) -> str:
    unit = "" if result.unit == "1" else f" {escape(result.unit)}"
    return f"{value_text(result.value)}{unit}"


def _total_text(total: PolicyTotal) -> str:
    ok = f"{total.ok} of {total.trials} ok"
    parts = [ok if total.ok == total.trials else f"[red]{ok}[/]"]
    if total.ratio is not None and total.policy != "eevdf":
        parts.append(f"geometric mean {ratio_text(total.ratio)} of EEVDF over {total.scored}")
    if total.possible is not None:
        parts.append(f"mean {100 * total.possible:.1f} % of what is possible, where that is known")
    parts.append(f"{total.host_s:.0f} host s" + (f" ({total.cached} from the cache)" if total.cached else ""))
    return ", ".join(parts)
