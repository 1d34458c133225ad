"""The command ``schedcp-gym compare-clocks``: compare the ranking of policies on the virtual and the real clock."""

import dataclasses
import sys
from math import exp
from typing import TYPE_CHECKING, Annotated

import typer

from schedcp_gym.cli import options
from schedcp_gym.cli.bench import load_policies, make_lab, progress
from schedcp_gym.spec import Scale, SchedcpError

if TYPE_CHECKING:
    from schedcp_gym.bench import Bench, Suite
    from schedcp_gym.bench.clocks import ClockComparison


@options.command(
    "schedcp-gym compare-clocks schbench",
    "schedcp-gym compare-clocks schbench --repeats 9 --policy fifo --policy vtime --policy mlfq",
)
def compare_clocks(
    workload: Annotated[str, typer.Argument(help="A workload's name.")],
    repeats: Annotated[int, typer.Option(min=1, max=100, help="Measurements of each policy on the real clock.")] = 5,
    policies: Annotated[
        list[str] | None,
        typer.Option("--policy", metavar="POLICY", help="Rank this policy; repeat (default: the whole library)."),
    ] = None,
    scale: options.ScaleOption = Scale.SMOKE,
    seed: options.SeedOption = 0,
    cpus: options.CpusOption = None,
    kernel: options.OtherKernelOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Rank policies on the virtual and on the real clock, and print how well the rankings agree.

    On the real clock one trial runs at a time. Each round measures all policies in another random order (the same
    orders in each call), and the medians are ranked. EEVDF is ranked too.
    """
    from schedcp_gym.bench import Bench, Suite
    from schedcp_gym.bench.clocks import compare_benches
    from schedcp_gym.lab import catalogue
    from schedcp_gym.spec import EEVDF

    names = [EEVDF, *(policies or catalogue.policy_names())]
    suite = Suite(
        policies=load_policies(names, []),
        workloads=(catalogue.load_workload(workload),),
        machine=catalogue.load_machine("virtual", cpus=cpus, kernel=kernel),
        scale=scale,
        seeds=(seed,),
    )
    real_machine = catalogue.load_machine("real", cpus=cpus, kernel=kernel)
    real_suite = dataclasses.replace(suite, machine=real_machine, repeats=repeats)
    virtual, real = Bench(suite, make_lab(suite, None)), Bench(real_suite, make_lab(real_suite, None))
    interrupted = False
    try:
        for what, bench in (("virtual clock", virtual), ("real clock", real)):
            with progress(what, bench.total) as done:
                bench.run(done)
    except KeyboardInterrupt:
        interrupted = True
    comparison = compare_benches(virtual, real)
    if comparison is not None:
        accelerator = real.lab.machine(real_machine).accelerator
        if as_json:
            from schedcp_gym.printing import print_json

            head = {"workload": workload, "scale": scale, "workload_seed": seed, "real_accelerator": accelerator}
            print_json({**head, **vars(comparison)})
        else:
            _print(suite, comparison, accelerator)
    if interrupted:
        done_repeats = comparison.repeats if comparison else 0
        print(f"interrupted after {done_repeats} of {repeats} repeats", file=sys.stderr)
        raise KeyboardInterrupt
    if comparison is None:
        raise SchedcpError(f"there is nothing to rank: {_reason(virtual, real)}")


def _reason(*benches: "Bench") -> str:
    bad = next(
        (one for bench in benches for one in bench.results() if one.policy.is_eevdf and not one.measured.ok), None
    )
    return f"EEVDF: {bad.measured.outcome}: {bad.measured.message}" if bad else "no repeat is complete"


def _print(suite: "Suite", comparison: "ClockComparison", accelerator: str) -> None:
    """Print both rankings side by side, and the correlations."""
    from schedcp_gym.printing import console_of, safe, table_of

    rows = [
        (
            safe(place.policy),
            f"{exp(place.virtual):.2f}x",
            f"{place.virtual_rank:g}",
            f"{exp(place.real):.2f}x",
            f"{place.real_rank:g}",
            f"{exp(place.real_low):.2f}x to {exp(place.real_high):.2f}x",
            f"{place.real_rank - place.virtual_rank:+g}" if place.real_rank != place.virtual_rank else "·",
        )
        for place in comparison.places
    ]
    title = f"{suite.workloads[0].name}, {suite.scale} scale, seed {suite.seeds[0]}: improvement over EEVDF"
    headings = ("policy", "virtual", "rank", "real, median", "rank", "least to most", "ranks apart")
    console = console_of()
    console.print(table_of(headings, rows, title=title, right=headings[1:], whole=headings))
    agreement = comparison.agreement
    basis = f"{accelerator}, medians of {comparison.repeats} repeats, {len(comparison.places)} policies"
    coefficients = f"Spearman {_text(agreement.spearman)}, Kendall {_text(agreement.kendall)}"
    lines = [f"rank correlation of the virtual clock with the real one ({basis}): {coefficients}"]
    if comparison.single:
        low, high = min(comparison.single), max(comparison.single)
        lines.append(f"with a single repeat: Spearman {_text(low)} to {_text(high)}")
    if comparison.noise is not None:
        lines.append(f"two repeats on the real clock with each other: Spearman {_text(comparison.noise)} (mean)")
    for line in lines:
        console.print(line, soft_wrap=True)


def _text(correlation: float | None) -> str:
    return "undefined (all equal)" if correlation is None else f"{correlation:.3f}"
