"""``schedcp-gym repository measure``: what the repository's policies come to, measured and kept there."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schedcp_gym.cli.bench import WorkersOption, WorkloadsOption
from schedcp_gym.cli.options import (
    CpusOption,
    MachineOption,
    ScaleOption,
)
from schedcp_gym.cli.repository import StoreOption, repository_app
from schedcp_gym.spec import BadInput, Policy, Scale

if TYPE_CHECKING:
    from schedcp_gym.bench import Result, Suite
    from schedcp_gym.control.repository import PolicyRecord, Repository, ResultRecord

EPILOG = (
    "Examples: [bold]schedcp-gym repository measure[/bold] (the whole library) · "
    "[bold]schedcp-gym repository measure ljf vtime -w longtail --seed 1 --seed 2[/bold] · "
    "[bold]schedcp-gym repository measure --out results/repository/smoke.jsonl[/bold]"
)


def register(_app: typer.Typer) -> None:
    """Adds the command to those of the repository."""
    repository_app.command("measure", epilog=EPILOG)(measure)


def measure(
    policies: Annotated[
        list[str] | None, typer.Argument(metavar="[POLICY]...", help="Policies of the repository; the library if none.")
    ] = None,
    workloads: WorkloadsOption = None,
    scale: ScaleOption = Scale.SMOKE,
    seeds: Annotated[
        list[int] | None, typer.Option("--seed", min=0, max=2**31 - 1, help="The workloads' seed (0); repeat.")
    ] = None,
    machine: MachineOption = "virtual",
    cpus: CpusOption = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write these results, too: lines that `import` takes.")
    ] = None,
    workers: WorkersOption = None,
    store: StoreOption = None,
) -> None:
    """Measure policies with their values, against EEVDF, and keep the results: standings and promotions follow.

    Trials run in parallel and each is kept: after Ctrl-C the same command goes on where it was.
    """
    from schedcp_gym.bench import Bench, Suite
    from schedcp_gym.bench.plot import check_file
    from schedcp_gym.cli import bench
    from schedcp_gym.control.repository import open_library
    from schedcp_gym.lab import catalogue

    if out:
        check_file(out)
    repository = open_library(store)
    records = _records(repository, policies or [])
    suite = Suite(
        policies=tuple(Policy(each.name, each.source, tuple(sorted(each.values.items()))) for each in records),
        workloads=bench.find_workloads(workloads or [], None),
        machine=catalogue.load_machine(machine, cpus=cpus),
        scale=scale,
        seeds=tuple(dict.fromkeys(seeds or [0])),
    )
    results = bench.run(Bench(suite, bench.make_lab(suite, workers)))
    ids = {each.name: each.id for each in records}
    kept = repository.record(*_kept(suite, results, ids))
    if out:
        from schedcp_gym.control.repository.entry import body_of

        out.write_text("".join(f"{body_of(each)}\n" for each in kept))
    print(f"{len(kept)} results are kept{f', and written to {out}' if out else ''}")


def _records(repository: "Repository", names: list[str]) -> "list[PolicyRecord]":
    from schedcp_gym.control.repository import Status

    if names:
        return list({each.id: each for each in map(repository.get, names)}.values())
    found = repository.policies(status=Status.LIBRARY)
    if not found:
        raise BadInput("the repository holds no library: name the policies")
    return found


def _kept(suite: "Suite", results: "list[Result]", ids: dict[str, str]) -> "list[ResultRecord]":
    from schedcp_gym.control.repository import result_of
    from schedcp_gym.spec import Outcome, Trial

    return [
        result_of(
            Trial(each.policy, each.workload, suite.machine, suite.scale, each.seed),
            each.measured,
            each.baseline,
            policy=ids[each.policy.name],
        )
        for each in results
        if each.measured.outcome is not Outcome.INFRA_FAULT
    ]
