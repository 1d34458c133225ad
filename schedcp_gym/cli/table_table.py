"""What ``schedcp-gym table`` prints for a person."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from schedcp_gym.envs.tables import Fidelity, Table


def print_table(table: Table, path: Path, changed: Sequence[str] = ()) -> None:
    """Prints what a table is of, how near it is to reality, and what has changed since it was recorded."""
    about = table.about
    outcomes = Counter(row.measurement.outcome.value for row in table.rows)
    policies = len({row.config.policy for row in table.rows})
    where = f"{about.scale} scale, {about.machine.describe()}"
    seeds = f"workload seed{'s' if len(about.seeds) > 1 else ''} {', '.join(map(str, about.seeds))}"
    lines = [
        f"{about.workload}: {len(table.rows)} measurements of {policies} policies, {where}, {seeds}",
        "outcomes: " + ", ".join(f"{count} {name}" for name, count in outcomes.most_common()),
        _fidelity(about.fidelity),
        f"file: {path} ({path.stat().st_size / 1024:.0f} KiB)",
    ]
    if changed:
        again = f"`schedcp-gym table record {about.workload}` renews it"
        lines.append(f"changed since it was recorded: {', '.join(changed)}; {again}")
    print("\n  ".join(lines))


def _fidelity(found: Fidelity | None) -> str:
    if found is None:
        return "fidelity: not measured (recorded with --actions 0)"

    def text(value: float | None, form: str) -> str:
        return "undefined" if value is None else format(value, form)

    return (
        f"fidelity, at {found.actions} random actions that are not in it: "
        f"rank correlation of rewards {text(found.rank_correlation, '.2f')}; error of the improvement ratio "
        f"{text(found.median_error, '.1%')} (median), {text(found.p90_error, '.1%')} (90th percentile); "
        f"same outcome {found.equal_outcomes:.0%}"
    )
