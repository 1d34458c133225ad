"""What ``schedcp-gym store`` prints for a person."""

import json
import time
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schedcp_gym.lab import catalogue
from schedcp_gym.lab.check import Checked
from schedcp_gym.lab.store import Config, Stored
from schedcp_gym.spec import BadInput, Workload
from schedcp_gym.ui import harmless

#: Columns of a table where there is no terminal to ask.
PLAIN_WIDTH = 140
#: Letters of a digest that tell trials apart.
SHORT = 12


def _console() -> Console:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    return console


def _table(*headings: str, right: Sequence[str] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    return table


def _safe(text: object) -> str:
    return escape(harmless(str(text)))


def _workload(name: str) -> Workload | None:
    try:
        return catalogue.load_workload(name)
    except BadInput:
        return None


def _policy(config: Config) -> str:
    values = " ".join(f"{name}={value}" for name, value in config.tunables.items())
    return f"{config.policy} {values}".strip()


def print_entries(entries: Sequence[Stored], count: int, size_bytes: int) -> None:
    """Prints a table of measurements, and how many there are."""
    console = _console()
    if not entries:
        console.print("nothing like that was measured")
        return
    table = _table(
        "trial", "measured", "policy", "workload", "seed", "outcome", "result", "host s", right=("seed", "host s")
    )
    for entry in entries:
        config, measured = entry.config, entry.measurement
        clock = "" if config.clock == "virtual" else f" ({config.clock} clock)"
        table.add_row(
            measured.trial[:SHORT],
            _moment(entry.made),
            _safe(_policy(config)),
            _safe(f"{config.workload} {config.scale}{clock}"),
            str(config.seed),
            measured.outcome.value,
            _safe(_objective(entry)),
            f"{measured.timings_s.get('total', 0):.1f}",
        )
    console.print(table)
    console.print(f"{len(entries)} of {count} measurements shown · the store has {size_bytes / 2**20:.1f} MiB")


def _moment(made: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(made))


def _objective(entry: Stored) -> str:
    """The first metric of the workload's objective, or why there is none."""
    workload, measured = _workload(entry.config.workload), entry.measurement
    if not measured.ok:
        return measured.message.split("\n")[0][:60]
    name = next(iter(workload.objective.weights), "") if workload else next(iter(measured.metrics), "")
    return f"{name} {measured.metrics[name]:,.6g}" if name in measured.metrics else ""


def print_entry(entry: Stored) -> None:
    """Prints one measurement whole."""
    console = _console()
    config, measured = entry.config, entry.measurement
    workload = _workload(config.workload)
    facts = {
        "trial": measured.trial,
        "key": entry.key,
        "measured": _moment(entry.made),
        "policy": _policy(config),
        "workload": f"{config.workload}, {config.scale} scale, seed {config.seed}",
        "machine": ", ".join(f"{name} {value}" for name, value in config.machine.items() if value is not None),
        "outcome": measured.outcome.value + (f": {measured.message}" if measured.message else ""),
        "guest s": measured.job_s,
        "utilisation": measured.utilisation,
        "pages scanned": measured.pages_scanned or None,
        "host s": _pairs(measured.timings_s),
        "events": _pairs(measured.events),
        "cpu s by name": _pairs(measured.cpu_s_by_name),
        **{f"digest {name}": value for name, value in measured.digests.items() if name != "trial"},
    }
    for name, value in facts.items():
        if value not in (None, ""):
            console.print(f"{name:<16} {_safe(value)}", soft_wrap=True)
    if measured.metrics:
        table = _table("metric", "value", "unit", "better", right=("value",))
        for name, value in measured.metrics.items():
            metric = workload.metrics.get(name) if workload else None
            better = "" if metric is None else "less" if metric.direction == "minimize" else "more"
            table.add_row(_safe(name), f"{value!r}", metric.unit if metric else "", better)
        console.print(table)
    if measured.log:
        console.print(_safe(measured.log.strip()), soft_wrap=True)


def _pairs(values: dict[str, float] | dict[str, int]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in values.items())


def print_checked(checked: Sequence[Checked]) -> None:
    """Prints what of stored measurements differs today, figure by figure, and the sums."""
    console = _console()
    differing = [one for one in checked if one.differences]
    if differing:
        table = _table("trial", "policy", "workload", "figure", "stored", "now", right=("stored", "now"))
        for one in differing:
            head = (one.entry.measurement.trial[:SHORT], _safe(_policy(one.entry.config)), one.entry.config.workload)
            for number, difference in enumerate(one.differences):
                values = (_safe(json.dumps(value)) for value in (difference.stored, difference.now))
                table.add_row(*(head if not number else ("", "", "")), _safe(difference.figure), *values)
        console.print(table)
    hindered = [one.hindrance for one in checked if one.hindrance]
    equal = len(checked) - len(differing) - len(hindered)
    console.print(f"{equal} equal, {len(differing)} different, {len(hindered)} not run again")
    for reason in dict.fromkeys(hindered):
        console.print(f"  {hindered.count(reason)}: {_safe(reason)}", soft_wrap=True)
