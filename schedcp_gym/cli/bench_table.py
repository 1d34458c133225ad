"""What ``schedcp-gym bench`` prints: a line as a result comes, the table, the sums."""

from collections.abc import Sequence
from itertools import groupby

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schedcp_gym.bench import Result, Suite, Total, totals
from schedcp_gym.ui import harmless

#: Columns where there is no terminal to ask.
PLAIN_WIDTH = 100
REASON_LIMIT = 160


def line_of(result: Result) -> str:
    """A result in one line, as rich's markup."""
    name = escape(f"{result.policy.name} on {result.workload.name}, seed {result.seed}")
    if not result.measured.ok:
        return f"[red]{name}: {escape(reason_of(result))}[/]"
    spent = "from the cache" if result.measured.cached else f"{result.host_s:.1f} s"
    return f"{name}: {result.metric} {_with_unit(result)} ({spent})"


def reason_of(result: Result) -> str:
    """Why a result is not ok, in one line."""
    message = harmless(" ".join(result.measured.message.split()))
    short = message if len(message) <= REASON_LIMIT else f"{message[: REASON_LIMIT - 1]}…"
    return f"{result.measured.outcome}: {short}"


def print_suite(console: Console, suite: Suite, results: Sequence[Result]) -> None:
    """Prints the table, why what failed has failed, and a line for each policy's sums."""
    console.print(suite_table(suite, results))
    for result in results:
        if not result.measured.ok:
            name = f"{result.policy.name} on {result.workload.name}, seed {result.seed}"
            console.print(f"[red]{escape(name)}[/]: {escape(reason_of(result))}", soft_wrap=True)
        elif result.measured.pages_scanned:
            console.print(
                f"[yellow]{result.workload.name}[/]: the guest was short of memory "
                f"({result.measured.pages_scanned} pages scanned): the result need not be exact",
                soft_wrap=True,
            )
    sums = totals(results)
    width = max((len(total.policy) for total in sums), default=0)
    for total in sums:
        console.print(f"[bold]{escape(total.policy):<{width}}[/]  {_sum_text(total)}", soft_wrap=True)


def suite_table(suite: Suite, results: Sequence[Result]) -> Table:
    """The table: a row for each workload, policy and seed."""
    against = any(result.ratio is not None and not result.policy.is_eevdf for result in results)
    title = f"{suite.scale} scale, {suite.machine.describe()}"
    title += f", objective {suite.objective}" if suite.objective else ""
    title += f", medians of {suite.repeats} repeats" if suite.repeats > 1 else ""
    table = Table(
        title=escape(title), title_justify="left", title_style="", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1)
    )
    table.add_column("workload", overflow="fold", min_width=12)
    if len(suite.policies) > 1:
        table.add_column("policy", overflow="fold")
    if len(suite.seeds) > 1:
        table.add_column("seed", justify="right")
    table.add_column("metric", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    if against:
        table.add_column("vs EEVDF", justify="right", no_wrap=True)
    table.add_column("possible", justify="right", no_wrap=True)
    table.add_column("outcome", no_wrap=True)
    table.add_column("host s", justify="right", no_wrap=True)
    for name, group in groupby(results, key=lambda result: result.workload.name):
        rows = list(group)
        for place, result in enumerate(rows):
            table.add_row(*_cells(suite, result, against=against, named=name if place == 0 else ""))
        if len(rows) > 1:
            table.add_section()
    if any(result.possible for result in results):
        table.caption = "possible: share of the best value that the workload allows"
    marks = "* from the cache" if any(result.measured.cached for result in results) else ""
    table.caption = "; ".join(filter(None, [str(table.caption or ""), marks])) or None
    table.caption_justify = "left"
    return table


def _cells(suite: Suite, result: Result, *, against: bool, named: str) -> list[str]:
    ok = result.measured.ok
    cells = [escape(named)]
    if len(suite.policies) > 1:
        cells.append(escape(result.policy.name))
    if len(suite.seeds) > 1:
        cells.append(str(result.seed))
    cells += [escape(result.metric), _with_unit(result) if ok else "-"]
    if against:
        cells.append(_ratio_text(result.ratio))
    cells.append("" if result.possible is None else f"{100 * result.possible:.1f} %")
    cells.append("ok" if ok else f"[red]{result.measured.outcome}[/]")
    cells.append(f"{result.host_s:.1f}{'*' if result.measured.cached else ' '}")
    return cells


def value_text(value: float | None) -> str:
    """A value in four digits or more: exact ones are in the JSON."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _with_unit(result: Result) -> str:
    unit = "" if result.unit == "1" else f" {escape(result.unit)}"
    return f"{value_text(result.value)}{unit}"


def _ratio_text(ratio: float | None) -> str:
    if ratio is None:
        return "-"
    style = "green" if ratio > 1.005 else "red" if ratio < 0.995 else ""
    text = f"{ratio:.2f}x"
    return f"[{style}]{text}[/]" if style else text


def _sum_text(total: Total) -> str:
    ok = f"{total.ok} of {total.trials} ok"
    parts = [ok if total.ok == total.trials else f"[red]{ok}[/]"]
    if total.ratio is not None and total.policy != "eevdf":
        parts.append(f"geometric mean {_ratio_text(total.ratio)} of EEVDF over {total.scored}")
    if total.possible is not None:
        parts.append(f"mean {100 * total.possible:.1f} % of what is possible, where that is known")
    parts.append(f"{total.host_s:.0f} host s" + (f" ({total.cached} from the cache)" if total.cached else ""))
    return ", ".join(parts)
