"""The command ``schedcp-gym repository measure``: measure the repository's policies and store the results there."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schedcp_gym.cli import bench, options
from schedcp_gym.cli.repository import StoreOption, group
from schedcp_gym.spec import BadInput, Policy, Scale

if TYPE_CHECKING:
    from schedcp_gym.bench import BenchResult, Suite
    from schedcp_gym.control.repository import PolicyRecord, Repository, ResultRecord


@options.command(
    "schedcp-gym repository measure # the whole library",
    "schedcp-gym repository measure ljf vtime -w longtail --seed 1 --seed 2",
    "schedcp-gym repository measure --out results/repository/smoke.jsonl",
    group=group,
)
def measure(
    policies: Annotated[
        list[str] | None,
        typer.Argument(metavar="[POLICY]...", help="Policies of the repository (default: the library)."),
    ] = None,
    workloads: bench.WorkloadsOption = None,
    scale: options.ScaleOption = Scale.SMOKE,
    seeds: options.SeedsOption = None,
    machine: options.MachineOption = "virtual",
    cpus: options.CpusOption = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write these results, as lines for `repository import`.")
    ] = None,
    workers: options.WorkersOption = None,
    store: StoreOption = None,
) -> None:
    """Measure policies with their values, compared with EEVDF, and store the results, which can promote policies.

    Trials run in parallel and each result is stored: after Ctrl-C, the same command continues.
    """
    from schedcp_gym.bench import Bench, Suite
    from schedcp_gym.control.repository import open_library
    from schedcp_gym.lab import catalogue

    options.check_outputs(out)
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
    kept = repository.record(*_kept(suite, results, {each.name: each.id for each in records}))
    if out:
        from schedcp_gym.control.repository.entry import body_of

        out.write_text("".join(f"{body_of(each)}\n" for each in kept))
    print(f"{len(kept)} results are stored{f', and written to {out}' if out else ''}")


def _records(repository: "Repository", names: list[str]) -> "list[PolicyRecord]":
    from schedcp_gym.control.repository import Status

    if names:
        return list({each.id: each for each in map(repository.get, names)}.values())
    found = repository.policies(status=Status.LIBRARY)
    if not found:
        raise BadInput("the repository has no library: name the policies")
    return found


def _kept(suite: "Suite", results: "list[BenchResult]", ids: dict[str, str]) -> "list[ResultRecord]":
    """Return the results as records, without those that the host failed to measure."""
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
