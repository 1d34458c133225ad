"""The commands ``schedcp-gym store``: list, show, check, export and delete stored measurements."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from schedcp_gym.cli import options
from schedcp_gym.spec import BadInput, Clock, Outcome, Scale

if TYPE_CHECKING:
    from schedcp_gym.lab.check import Checked
    from schedcp_gym.lab.store import Filter, Stored, TrialStore

group = options.group_of("store", "Measurements of all trials: on the virtual clock no trial is measured twice.")
PolicyOption = Annotated[
    str | None, typer.Option("--policy", "-p", metavar="NAME", help="Only this policy, or a pattern ('l*').")
]
WorkloadOption = Annotated[
    str | None, typer.Option("--workload", "-w", metavar="NAME", help="Only this workload, or a pattern.")
]
ScaleFilter = Annotated[
    Scale | None,
    typer.Option("--scale", parser=options.word_of(Scale), metavar="|".join(Scale), help="Only this scale."),
]
SeedFilter = Annotated[int | None, typer.Option("--seed", help="Only this seed of the workload.")]
ClockFilter = Annotated[
    Clock | None,
    typer.Option("--clock", parser=options.word_of(Clock), metavar="|".join(Clock), help="Only this clock."),
]


def _open() -> "TrialStore":
    from schedcp_gym.lab.store import shared_store

    return shared_store()


def _filter(
    policy: str | None,
    workload: str | None,
    scale: Scale | None,
    seed: int | None,
    clock: Clock | None = None,
    outcome: Outcome | None = None,
) -> "Filter":
    from schedcp_gym.lab.store import Filter

    return Filter(policy, workload, scale and scale.value, seed, clock and clock.value, outcome and outcome.value)


@options.command(
    "schedcp-gym store ls",
    "schedcp-gym store ls -w 'schbench*' --outcome ejected",
    "schedcp-gym store ls -p ljf --limit 100 --json",
    name="ls",
    group=group,
)
def list_trials(
    policy: PolicyOption = None,
    workload: WorkloadOption = None,
    scale: ScaleFilter = None,
    seed: SeedFilter = None,
    clock: ClockFilter = None,
    outcome: options.OutcomeOption = None,
    limit: Annotated[int, typer.Option(min=1, help="The most rows to print.")] = 30,
    as_json: options.JsonOption = False,
) -> None:
    """List stored measurements, the newest first."""
    from schedcp_gym.cli.store_table import print_entries
    from schedcp_gym.printing import print_json

    store, which = _open(), _filter(policy, workload, scale, seed, clock, outcome)
    entries = store.find(which, limit)
    if as_json:
        print_json([_summary(entry) for entry in entries])
    else:
        print_entries(entries, store.count(which), store.size_bytes())


def _summary(entry: "Stored") -> dict[str, Any]:
    measured = entry.measurement
    head = {"trial": measured.trial, "key": entry.key, "made_unix_s": entry.made}
    return {**head, **vars(entry.config), "outcome": measured.outcome, "metrics": measured.metrics}


@options.command(
    "schedcp-gym store show 3f2a # the first digits of a digest that ls prints",
    "schedcp-gym store show 3f2a --source",
    group=group,
)
def show(
    digest: Annotated[str, typer.Argument(help="The trial's digest, or its first digits.")],
    source: Annotated[bool, typer.Option("--source", help="Print only the policy's source.")] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Show everything about one trial: its settings, results and digests."""
    from schedcp_gym.cli.store_table import print_entry
    from schedcp_gym.lab.store.stored import plain
    from schedcp_gym.printing import print_json
    from schedcp_gym.ui import harmless

    store = _open()
    entry = _only(store, digest)
    if source:
        text = store.source(entry.config.source)
        if text is None:
            raise BadInput("the store no longer has the policy's source")
        print(harmless(text) if sys.stdout.isatty() else text, end="")
    elif as_json:
        print_json({**_summary(entry), "measurement": plain(entry.measurement)})
    else:
        print_entry(entry)


def _only(store: "TrialStore", digest: str) -> "Stored":
    """Return the measurement of a trial; the newest, if it was measured on several images or on the real clock."""
    from schedcp_gym.lab.store import Filter

    if not digest or not all(letter in "0123456789abcdef" for letter in digest.lower()):
        raise BadInput(f"{digest!r} is not a digest: `schedcp-gym store ls` prints them")
    found = store.find(Filter(digest=digest), limit=200)
    trials = sorted({entry.measurement.trial for entry in found})
    if not found:
        raise BadInput(f"no trial begins with {digest}: `schedcp-gym store ls` prints all")
    if len(trials) > 1:
        shown = ", ".join(trial[:12] for trial in trials[:5])
        raise BadInput(f"{len(trials)} trials begin with {digest}: {shown}{' …' if len(trials) > 5 else ''}")
    return found[0]


@options.command(
    "schedcp-gym store gc --dry-run",
    "schedcp-gym store gc --older-than 30",
    "schedcp-gym store gc --any-image --max-mib 200",
    group=group,
)
def gc(
    any_image: Annotated[
        bool, typer.Option("--any-image", help="Keep measurements on images that do not exist any more.")
    ] = False,
    older_than: Annotated[
        float | None, typer.Option(metavar="DAYS", min=0, help="Delete measurements that are older than this.")
    ] = None,
    max_mib: Annotated[
        int | None, typer.Option(min=0, help="Delete the oldest measurements until the store has this size (MiB).")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be deleted.")] = False,
) -> None:
    """Delete measurements that cannot be used any more, and files of older versions."""
    from schedcp_gym.machine.image.store import digests_there

    store = _open()
    count, size = store.count(), store.size_bytes()
    found = store.unwanted(
        images=None if any_image else digests_there(),
        older_than_s=None if older_than is None else older_than * 86400,
        max_bytes=None if max_mib is None else max_mib << 20,
    )
    keys = [key for some in found.values() for key in some]
    verb = "would be deleted" if dry_run else "deleted"
    reasons = {"image": "of images that do not exist", "age": "too old", "size": "to make room"}
    parts = [f"{len(some)} {reasons[reason]}" for reason, some in found.items() if some]
    if not dry_run:
        store.compact(keys)
    print(f"{len(keys)} of {count} measurements {verb}" + (f": {', '.join(parts)}" if parts else ""))
    if not dry_run:
        print(f"{size / 2**20:.1f} MiB before, {store.size_bytes() / 2**20:.1f} MiB now")


@options.command(
    "schedcp-gym store export all.parquet", "schedcp-gym store export schbench.csv -w 'schbench*'", group=group
)
def export(
    file: Annotated[Path, typer.Argument(help="A .parquet or .csv file.")],
    policy: PolicyOption = None,
    workload: WorkloadOption = None,
    scale: ScaleFilter = None,
    seed: SeedFilter = None,
    clock: ClockFilter = None,
    outcome: options.OutcomeOption = None,
) -> None:
    """Write a table with a row for each measurement: config.* are the settings, result.* the results."""
    from schedcp_gym.lab.export import write

    rows = write(_open(), file, _filter(policy, workload, scale, seed, clock, outcome))
    print(f"{rows} rows: {file}")


@options.command(
    "schedcp-gym store check",
    "schedcp-gym store check -w longtail --all",
    "schedcp-gym store check --sample 50 --draw 7",
    group=group,
)
def check(
    policy: PolicyOption = None,
    workload: WorkloadOption = None,
    scale: ScaleFilter = None,
    seed: SeedFilter = None,
    sample: Annotated[int, typer.Option(min=1, help="Number of trials, drawn at random.")] = 10,
    everything: options.AllOption = False,
    draw: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
    workers: options.WorkersOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Run trials of the virtual clock again and compare every figure. The exit status is 0 if all are equal."""
    from schedcp_gym import ui
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
    print_checks(checked, as_json=as_json)
    if any(one.differences for one in checked) or all(one.hindrance for one in checked):
        raise typer.Exit(options.NOT_OK)


def print_checks(checked: "list[Checked]", *, as_json: bool) -> None:
    """Print the differences between measurements and new ones, also for ``schedcp-gym table check``."""
    from schedcp_gym.cli.store_table import print_checked
    from schedcp_gym.printing import print_json

    if as_json:
        print_json(
            [{**_summary(one.entry), "differences": one.differences, "hindrance": one.hindrance} for one in checked]
        )
    else:
        print_checked(checked)
