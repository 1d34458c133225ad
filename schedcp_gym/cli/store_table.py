"""Print the measurements of ``schedcp-gym store``."""

import json
import time
from collections.abc import Mapping, Sequence

from schedcp_gym.lab import catalogue
from schedcp_gym.lab.check import Checked
from schedcp_gym.lab.store import Config, Stored
from schedcp_gym.printing import assignments_text, console_of, safe, table_of
from schedcp_gym.spec import BadInput, Workload

WIDTH = 140
#: Printed digits of a digest.
SHORT = 12


def _workload(name: str) -> Workload | None:
    try:
        return catalogue.load_workload(name)
    except BadInput:
        return None


def _policy(config: Config) -> str:
    return f"{config.policy} {assignments_text(config.tunables.items(), ' ')}".strip()


def print_entries(entries: Sequence[Stored], count: int, size_bytes: int) -> None:
    """Print a table of measurements, and how many there are."""
    console = console_of(WIDTH)
    if not entries:
        console.print("no such measurement is stored")
        return
    headings = ("trial", "measured", "policy", "workload", "seed", "outcome", "result", "host s")
    table = table_of(headings, right=("seed", "host s"))
    for entry in entries:
        config, measured = entry.config, entry.measurement
        clock = "" if config.clock == "virtual" else f" ({config.clock} clock)"
        table.add_row(
            measured.trial[:SHORT],
            _moment(entry.made),
            safe(_policy(config)),
            safe(f"{config.workload} {config.scale}{clock}"),
            str(config.seed),
            measured.outcome.value,
            safe(_objective(entry)),
            f"{measured.timings_s.get('total', 0):.1f}",
        )
    console.print(table)
    console.print(f"{len(entries)} of {count} measurements shown · the store has {size_bytes / 2**20:.1f} MiB")


def _moment(made: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(made))


def _objective(entry: Stored) -> str:
    """Return the first metric of the workload's objective, or the reason why there is none."""
    workload, measured = _workload(entry.config.workload), entry.measurement
    if not measured.ok:
        return measured.message.split("\n")[0][:60]
    name = next(iter(workload.objective.weights), "") if workload else next(iter(measured.metrics), "")
    return f"{name} {measured.metrics[name]:,.6g}" if name in measured.metrics else ""


def print_entry(entry: Stored) -> None:
    """Print everything about one measurement."""
    console = console_of(WIDTH)
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
        "host s": _numbers(measured.timings_s),
        "events": _numbers(measured.events),
        "cpu s by name": _numbers(measured.cpu_s_by_name),
        **{f"digest {name}": value for name, value in measured.digests.items() if name != "trial"},
    }
    for name, value in facts.items():
        if value not in (None, ""):
            console.print(f"{name:<16} {safe(value)}", soft_wrap=True)
    if measured.metrics:
        table = table_of(("metric", "value", "unit", "better"), right=["value"])
        for name, value in measured.metrics.items():
            metric = workload.metrics.get(name) if workload else None
            better = "" if metric is None else "less" if metric.direction == "minimize" else "more"
            table.add_row(safe(name), f"{value!r}", metric.unit if metric else "", better)
        console.print(table)
    if measured.log:
        console.print(safe(measured.log.strip()), soft_wrap=True)


def _numbers(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in values.items())


def print_checked(checked: Sequence[Checked]) -> None:
    """Print each figure that differs between a stored measurement and a new one, and how many are equal."""
    console = console_of(WIDTH)
    differing = [one for one in checked if one.differences]
    if differing:
        table = table_of(("trial", "policy", "workload", "figure", "stored", "now"), right=("stored", "now"))
        for one in differing:
            head = (one.entry.measurement.trial[:SHORT], safe(_policy(one.entry.config)), one.entry.config.workload)
            for number, difference in enumerate(one.differences):
                values = (safe(json.dumps(value)) for value in (difference.stored, difference.now))
                table.add_row(*(head if not number else ("", "", "")), safe(difference.figure), *values)
        console.print(table)
    hindered = [one.hindrance for one in checked if one.hindrance]
    equal = len(checked) - len(differing) - len(hindered)
    console.print(f"{equal} equal, {len(differing)} different, {len(hindered)} not run again")
    for reason in dict.fromkeys(hindered):
        console.print(f"  {hindered.count(reason)}: {safe(reason)}", soft_wrap=True)
