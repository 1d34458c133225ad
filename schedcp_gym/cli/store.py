"""``schedcp-gym store``: what was measured, looked at, checked, exported and tidied."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from schedcp_gym.cli.options import NOT_OK, JsonOption
from schedcp_gym.spec import BadInput, Clock, Outcome, Scale

if TYPE_CHECKING:
    from schedcp_gym.lab.check import Checked
    from schedcp_gym.lab.store import Filter, Stored, TrialStore

store_app = typer.Typer(
    help="Every trial that was measured: on the virtual clock none is run twice.", no_args_is_help=True
)
PolicyOption = Annotated[
    str | None, typer.Option("--policy", "-p", metavar="NAME", help="Of this policy, or those that match ('l*').")
]
WorkloadOption = Annotated[
    str | None, typer.Option("--workload", "-w", metavar="NAME", help="On this workload, or those that match.")
]
ScaleOption = Annotated[str | None, typer.Option("--scale", metavar="|".join(Scale), help="Of this scale.")]
SeedOption = Annotated[int | None, typer.Option("--seed", help="With this seed of the workload.")]
ClockOption = Annotated[str | None, typer.Option("--clock", metavar="|".join(Clock), help="Of this clock.")]
OutcomeOption = Annotated[str | None, typer.Option("--outcome", metavar="|".join(Outcome), help="That ended so.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(store_app, name="store")


def _open() -> "TrialStore":
    from schedcp_gym.lab.store import shared_store

    return shared_store()


def _filter(
    policy: str | None,
    workload: str | None,
    scale: str | None = None,
    seed: int | None = None,
    clock: str | None = None,
    outcome: str | None = None,
) -> "Filter":
    from schedcp_gym.lab.catalogue import unknown
    from schedcp_gym.lab.store import Filter

    for kind, word, known in (("scale", scale, Scale), ("clock", clock, Clock), ("outcome", outcome, Outcome)):
        if word is not None and word not in list(known):
            raise unknown(kind, word, list(known))
    return Filter(policy, workload, scale, seed, clock, outcome)


@store_app.command(
    "ls",
    epilog="Examples: [bold]schedcp-gym store ls[/bold] · "
    "[bold]schedcp-gym store ls -w 'schbench*' --outcome ejected[/bold] · "
    "[bold]schedcp-gym store ls -p ljf --limit 100 --json[/bold]",
)
def list_trials(
    policy: PolicyOption = None,
    workload: WorkloadOption = None,
    scale: ScaleOption = None,
    seed: SeedOption = None,
    clock: ClockOption = None,
    outcome: OutcomeOption = None,
    limit: Annotated[int, typer.Option(min=1, help="Most rows.")] = 30,
    as_json: JsonOption = False,
) -> None:
    """List what was measured, the newest first."""
    from schedcp_gym.cli.store_table import print_entries

    store, which = _open(), _filter(policy, workload, scale, seed, clock, outcome)
    entries = store.find(which, limit)
    if as_json:
        print(json.dumps([_summary(entry) for entry in entries], indent=1))
        return
    print_entries(entries, store.count(which), store.size_bytes())


def _summary(entry: "Stored") -> dict[str, Any]:
    measured = entry.measurement
    made = {"trial": measured.trial, "key": entry.key, "made_unix_s": entry.made}
    return {**made, **vars(entry.config), "outcome": measured.outcome.value, "metrics": measured.metrics}


@store_app.command(
    "show",
    epilog="Examples: [bold]schedcp-gym store show 3f2a[/bold] (a digest's beginning, as ls prints it) · "
    "[bold]schedcp-gym store show 3f2a --source[/bold]",
)
def show(
    digest: Annotated[str, typer.Argument(help="The trial's digest, or as much of it as is unique.")],
    source: Annotated[bool, typer.Option("--source", help="Print the policy's source and nothing else.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show one trial whole: what was run, what it gave, and what it follows from."""
    from schedcp_gym.cli.store_table import print_entry
    from schedcp_gym.lab.store.stored import plain
    from schedcp_gym.ui import harmless

    store = _open()
    entry = _only(store, digest)
    if source:
        text = store.source(entry.config.source)
        if text is None:
            raise BadInput("the policy's source is not kept any more")
        print(harmless(text) if sys.stdout.isatty() else text, end="")
    elif as_json:
        print(json.dumps({**_summary(entry), "measurement": plain(entry.measurement)}, indent=1))
    else:
        print_entry(entry)


def _only(store: "TrialStore", digest: str) -> "Stored":
    """The measurement of a digest; on several images, or of the real clock, the newest of the trial."""
    from schedcp_gym.lab.store import Filter

    if not digest or not all(letter in "0123456789abcdef" for letter in digest.lower()):
        raise BadInput(f"{digest!r} is no digest: `schedcp-gym store ls` prints them")
    found = store.find(Filter(digest=digest), limit=200)
    trials = sorted({entry.measurement.trial for entry in found})
    if not found:
        raise BadInput(f"no trial begins with {digest}: `schedcp-gym store ls` prints what there is")
    if len(trials) > 1:
        shown = ", ".join(trial[:12] for trial in trials[:5])
        raise BadInput(f"{len(trials)} trials begin with {digest}: {shown}{' …' if len(trials) > 5 else ''}")
    return found[0]


@store_app.command(
    "gc",
    epilog="Examples: [bold]schedcp-gym store gc --dry-run[/bold] · "
    "[bold]schedcp-gym store gc --older-than 30[/bold] · [bold]schedcp-gym store gc --any-image --max-mib 200[/bold]",
)
def gc(
    any_image: Annotated[
        bool, typer.Option("--any-image", help="Keep also what was measured on images that are not there any more.")
    ] = False,
    older_than: Annotated[
        float | None, typer.Option(metavar="DAYS", min=0, help="Delete what was measured before that.")
    ] = None,
    max_mib: Annotated[
        int | None, typer.Option(min=0, help="Delete the oldest until the store is no larger (MiB).")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Delete measurements that nobody can use, and files of older versions; give back the space."""
    from schedcp_gym.machine.image.store import digests_there

    store = _open()
    count, size = store.count(), store.size_bytes()
    found = store.unwanted(
        images=None if any_image else digests_there(),
        older_than_s=None if older_than is None else older_than * 86400,
        max_bytes=None if max_mib is None else max_mib << 20,
    )
    keys = [key for some in found.values() for key in some]
    word = "would go" if dry_run else "deleted"
    reasons = {"image": "of images that are gone", "age": "too old", "size": "to make room"}
    parts = [f"{len(some)} {reasons[reason]}" for reason, some in found.items() if some]
    if not dry_run:
        store.compact(keys)
    print(f"{len(keys)} of {count} measurements {word}" + (f": {', '.join(parts)}" if parts else ""))
    if not dry_run:
        print(f"{size / 2**20:.1f} MiB before, {store.size_bytes() / 2**20:.1f} MiB now")


@store_app.command(
    "export",
    epilog="Examples: [bold]schedcp-gym store export all.parquet[/bold] · "
    "[bold]schedcp-gym store export schbench.csv -w 'schbench*'[/bold]",
)
def export(
    file: Annotated[Path, typer.Argument(help="A .parquet or .csv file.")],
    policy: PolicyOption = None,
    workload: WorkloadOption = None,
    scale: ScaleOption = None,
    seed: SeedOption = None,
    clock: ClockOption = None,
    outcome: OutcomeOption = None,
) -> None:
    """Write one flat table, a row for each measurement: config.* what was tried, result.* what it gave."""
    from schedcp_gym.lab.export import write

    rows = write(_open(), file, _filter(policy, workload, scale, seed, clock, outcome))
    print(f"{rows} rows: {file}")


@store_app.command(
    "check",
    epilog="Examples: [bold]schedcp-gym store check[/bold] · [bold]schedcp-gym store check -w longtail --all[/bold] · "
    "[bold]schedcp-gym store check --sample 50 --draw 7[/bold]",
)
def check(
    policy: PolicyOption = None,
    workload: WorkloadOption = None,
    scale: ScaleOption = None,
    seed: SeedOption = None,
    sample: Annotated[int, typer.Option(min=1, help="How many, drawn by chance.")] = 10,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    draw: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Trials at once; the host's CPUs.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Run trials of the virtual clock again and compare every figure. Exits with 0 if all are equal."""
    from schedcp_gym import ui
    from schedcp_gym.cli.store_table import print_checked
    from schedcp_gym.lab import Lab
    from schedcp_gym.lab.check import check as check_entries
    from schedcp_gym.lab.check import choose

    store = _open()
    entries = choose(store, _filter(policy, workload, scale, seed), None if everything else sample, draw)
    if not entries:
        raise BadInput("there is nothing to check: no such measurement of the virtual clock is stored")
    with ui.build_progress() as build:
        lab = Lab(workers=workers, cache=False, keep=False, report=build)
        lab.image(str(entries[0].config.machine["kernel"]))
    with ui.counting_bar() as bar:
        task = bar.add_task("checking", total=len(entries))
        checked = check_entries(store, entries, lab, lambda _: bar.advance(task))
    if as_json:
        print(json.dumps([_checked(one) for one in checked], indent=1))
    else:
        print_checked(checked)
    if any(one.differences for one in checked) or all(one.hindrance for one in checked):
        raise typer.Exit(NOT_OK)


def _checked(one: "Checked") -> dict[str, Any]:
    differences = [vars(difference) for difference in one.differences]
    return {**_summary(one.entry), "differences": differences, "hindrance": one.hindrance}
