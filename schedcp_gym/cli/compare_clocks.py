"""``schedcp-gym compare-clocks``: does the virtual clock rank policies as the real one does?"""

import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from schedcp_gym.cli.bench import load_policies, make_lab, progress
from schedcp_gym.cli.options import CpusOption, JsonOption, OtherKernelOption, ScaleOption, SeedOption
from schedcp_gym.spec import Scale, SchedcpError

if TYPE_CHECKING:
    from schedcp_gym.bench import Bench, Suite
    from schedcp_gym.bench.clocks import Comparison

EPILOG = (
    "Examples: [bold]schedcp-gym compare-clocks schbench[/bold] · "
    "[bold]schedcp-gym compare-clocks schbench --repeats 9 --policy fifo --policy vtime --policy mlfq[/bold]"
)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("compare-clocks", epilog=EPILOG)(compare_clocks)


def compare_clocks(
    workload: Annotated[str, typer.Argument(help="A workload's name.")],
    repeats: Annotated[int, typer.Option(min=1, max=100, help="Measurements of each policy on the real clock.")] = 5,
    policies: Annotated[
        list[str] | None,
        typer.Option("--policy", metavar="POLICY", help="Rank this policy; repeat. All of the library if not given."),
    ] = None,
    scale: ScaleOption = Scale.SMOKE,
    seed: SeedOption = 0,
    cpus: CpusOption = None,
    kernel: OtherKernelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rank policies on the virtual and on the real clock, and say how far the rankings agree.

    On the real clock one trial runs at a time, in rounds of all policies, each round in another random order (the same
    every time); medians count. EEVDF is ranked too.
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
            print(json.dumps(_plain(suite, comparison, accelerator), indent=1))
        else:
            show(suite, comparison, accelerator)
    if interrupted:
        whole = comparison.repeats if comparison else 0
        print(f"interrupted after {whole} of {repeats} repeats", file=sys.stderr)
        raise KeyboardInterrupt
    if comparison is None:
        raise SchedcpError(f"nothing can be ranked: {_why(virtual, real)}")


def _why(*benches: "Bench") -> str:
    bad = next(
        (one for bench in benches for one in bench.results() if one.policy.is_eevdf and not one.measured.ok), None
    )
    return f"EEVDF: {bad.measured.outcome}: {bad.measured.message}" if bad else "no repeat is whole"


def _plain(suite: "Suite", comparison: "Comparison", accelerator: str) -> dict[str, object]:
    head = {"workload": suite.workloads[0].name, "scale": suite.scale.value, "workload_seed": suite.seeds[0]}
    return {**head, "real_accelerator": accelerator, **dataclasses.asdict(comparison)}


def show(suite: "Suite", comparison: "Comparison", accelerator: str) -> None:
    """Prints both rankings side by side, and how far they agree."""
    import math

    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from schedcp_gym.cli.bench_table import PLAIN_WIDTH

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    workload = suite.workloads[0]
    title = f"{workload.name}, {suite.scale} scale, seed {suite.seeds[0]}: improvement over EEVDF"
    table = Table(title=title, title_justify="left", title_style="", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("policy", no_wrap=True)
    for heading in ("virtual", "rank", "real, median", "rank", "least to most", "ranks apart"):
        table.add_column(heading, justify="right", no_wrap=True)
    for place in comparison.places:
        apart = place.real_rank - place.virtual_rank
        spread = f"{math.exp(place.real_low):.2f}x to {math.exp(place.real_high):.2f}x"
        table.add_row(
            escape(place.policy),
            f"{math.exp(place.virtual):.2f}x",
            f"{place.virtual_rank:g}",
            f"{math.exp(place.real):.2f}x",
            f"{place.real_rank:g}",
            spread,
            f"{apart:+g}" if apart else "·",
        )
    console.print(table)
    agreement = comparison.agreement
    console.print(
        f"rank correlation of the virtual clock with the real one ({accelerator}, medians of {comparison.repeats} "
        f"repeats, {len(comparison.places)} policies): "
        f"Spearman {_text(agreement.spearman)}, Kendall {_text(agreement.kendall)}",
        soft_wrap=True,
    )
    if comparison.single:
        low, high = min(comparison.single), max(comparison.single)
        console.print(f"with a single repeat: Spearman {_text(low)} to {_text(high)}", soft_wrap=True)
    if comparison.noise is not None:
        console.print(f"of two repeats on the real clock with each other: Spearman {_text(comparison.noise)} (mean)")


def _text(correlation: float | None) -> str:
    return "none (no order)" if correlation is None else f"{correlation:.3f}"
