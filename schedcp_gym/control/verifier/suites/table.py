"""The confusion table: what was caught where, what was missed, and how long it took."""

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schedcp_gym.control.verifier.suites.cases import Case, Group
from schedcp_gym.control.verifier.suites.record import ORDER, Verdict, to_plain
from schedcp_gym.ui import harmless

PASSED = "passed"
HOST_FAULT = "host fault"
COLUMNS = (*(stage.value for stage in ORDER), PASSED)


def row_of(verdict: Verdict) -> str:
    """Return the row that a verdict counts in: the group, and the stage that must catch it."""
    return f"{verdict.group}: {verdict.expected}" if verdict.expected else verdict.group.value


def column_of(verdict: Verdict) -> str:
    """Return the column that a verdict counts in."""
    if verdict.infra_fault:
        return HOST_FAULT
    return verdict.caught_at.value if verdict.caught_at else PASSED


def counts(verdicts: Sequence[Verdict]) -> dict[str, Counter[str]]:
    """Count verdicts by row and column; rows in order of group and stage."""
    groups = list(Group)
    place = {stage: at for at, stage in enumerate(ORDER)}

    def rank(verdict: Verdict) -> tuple[int, int]:
        return groups.index(verdict.group), place[verdict.expected] if verdict.expected else 0

    table: dict[str, Counter[str]] = {}
    for verdict in sorted(verdicts, key=rank):
        table.setdefault(row_of(verdict), Counter())[column_of(verdict)] += 1
    return table


def medians_s(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """Return the median host seconds of each stage, over the policies that reached it."""
    spent = {stage.value: [v.stage_s[stage] for v in verdicts if stage in v.stage_s] for stage in ORDER}
    return {name: statistics.median(values) for name, values in spent.items() if values}


def good_times_s(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """Return how long good policies take: medians of stages 1 and 2 and of all, and the longest."""
    good = [verdict.stage_s for verdict in verdicts if verdict.group is Group.GOOD and verdict.right]
    if not good:
        return {}
    first = [sum(spent.get(stage, 0.0) for stage in ORDER[:2]) for spent in good]
    whole = [sum(spent.values()) for spent in good]
    return {
        "source_and_kernel_median": statistics.median(first),
        "whole_median": statistics.median(whole),
        "whole_longest": max(whole),
    }


def all_right(verdicts: Sequence[Verdict]) -> bool:
    """Return whether there are verdicts, and each is the known answer."""
    return bool(verdicts) and all(verdict.right for verdict in verdicts)


def print_suite(console: Console, cases: Sequence[Case], verdicts: Sequence[Verdict]) -> None:
    """Print the confusion table, the misses with their reasons, and the times."""
    console.print(confusion_table(verdicts))
    pairs = [(case, verdict) for case, verdict in zip(cases, verdicts, strict=True) if not verdict.right]
    for case, verdict in pairs:
        console.print(f"[red]wrong[/] [bold]{escape(verdict.name)}[/]: {escape(harmless(complaint(case, verdict)))}")
    spent = "  ".join(f"{name} {median:.1f} s" for name, median in medians_s(verdicts).items())
    console.print(f"median by stage: {spent or 'nothing was measured'}")
    if times := good_times_s(verdicts):
        console.print(
            f"a good policy: stages 1 and 2 {times['source_and_kernel_median']:.1f} s, "
            f"all {times['whole_median']:.1f} s (medians; longest {times['whole_longest']:.1f} s)"
        )
    right = len(verdicts) - len(pairs)
    share = 100 * right / len(verdicts) if verdicts else 0.0
    style = "green" if all_right(verdicts) else "red"
    console.print(f"[{style}]{right} of {len(verdicts)} right ({share:.1f} %)[/]")


def confusion_table(verdicts: Sequence[Verdict]) -> Table:
    """Return the table itself."""
    title = "policies by what they are, and where they were caught"
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, collapse_padding=True, title=title)
    table.title_justify = "left"
    table.add_column("what they are", no_wrap=True)
    found = counts(verdicts)
    faults = any(row[HOST_FAULT] for row in found.values())
    columns = (*COLUMNS, HOST_FAULT) if faults else COLUMNS
    for name in (*columns, "right"):
        table.add_column(name, justify="right", no_wrap=True)
    wrong = {(row_of(v), column_of(v)) for v in verdicts if not v.right}
    for row, counted in found.items():
        cells = [_cell(counted[column], (row, column) in wrong) for column in columns]
        total = counted.total()
        right = total - sum(count for column, count in counted.items() if (row, column) in wrong)
        table.add_row(row, *cells, f"{right}/{total}")
    return table


def _cell(count: int, wrong: bool) -> str:
    if not count:
        return "[dim]·[/]"
    return f"[bold red]{count}[/]" if wrong else f"[green]{count}[/]"


def complaint(case: Case, verdict: Verdict) -> str:
    """Return what is wrong with a verdict, in a line."""
    if verdict.infra_fault:
        return f"the host failed: {verdict.why}"
    if verdict.expected is None:
        return f"a good policy was caught at {verdict.caught_at}: {verdict.why}"
    at = f"caught at {verdict.caught_at} only" if verdict.caught_at else "passed"
    hint = f" [{case.caught_by}]" if case.caught_by else ""
    return f"{at}, had to be caught at {verdict.expected}: {case.bug}{hint}"


def as_json(cases: Sequence[Case], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return the whole result as JSON has it."""
    pairs = list(zip(cases, verdicts, strict=True))
    return {
        "right": sum(verdict.right for verdict in verdicts),
        "total": len(verdicts),
        "table": {row: dict(counted) for row, counted in counts(verdicts).items()},
        "wrong": [{"name": v.name, "why": complaint(case, v)} for case, v in pairs if not v.right],
        "median_s": medians_s(verdicts),
        "good_s": good_times_s(verdicts),
        "verdicts": [{**to_plain(verdict), "right": verdict.right} for verdict in verdicts],
    }
