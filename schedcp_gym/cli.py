"""The command ``schedcp-gym``: the image, single trials, and what there is."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from schedcp_gym.spec import BadInput, Clock, MachineSpec, Measurement, Scale, SchedcpError, Trial, Workload

if TYPE_CHECKING:
    from schedcp_gym.machine.image import Image

app = typer.Typer(
    help="Beat the Linux scheduler on a real kernel, exactly repeatably.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
image_app = typer.Typer(help="The image that machines boot.", no_args_is_help=True)
app.add_typer(image_app, name="image")

KernelOption = Annotated[
    str, typer.Option(help="debian, debian:RELEASE, or a folder with linux-image-*.deb and linux-headers-*.deb.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
INTERRUPTED = 130
NOT_OK = 1


def main() -> None:
    """Runs the command; an error a user can mend is one or two lines, not a trace."""
    from schedcp_gym import ui

    ui.log_to_stderr()
    try:
        app(standalone_mode=True)
    except SchedcpError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)


@image_app.command("build", epilog="Example: [bold]schedcp-gym image build[/bold]")
def image_build(
    kernel: KernelOption = "debian",
    rebuild: Annotated[bool, typer.Option(help="Build it again even if it is there.")] = False,
) -> None:
    """Build the image, unless it is there: one or two minutes, 1 GB."""
    from schedcp_gym import ui
    from schedcp_gym.lab.catalogue import image_inputs
    from schedcp_gym.machine.image import ensure_image

    with ui.build_progress() as report:
        image = ensure_image(image_inputs(kernel), report, rebuild=rebuild)
    print(f"image {image.digest[:16]} · kernel {image.kernel} · {image.size_bytes / 2**20:.0f} MiB · {image.folder}")


def _built_image(kernel: str) -> "Image":
    from schedcp_gym.lab.catalogue import image_inputs
    from schedcp_gym.machine.image import find_image
    from schedcp_gym.machine.image.store import Damaged

    try:
        image = find_image(image_inputs(kernel))
    except Damaged as reason:
        raise SchedcpError(f"the image is damaged ({reason}): `schedcp-gym image build` makes it anew") from None
    if image is None:
        raise SchedcpError("the image is not built: `schedcp-gym image build`")
    return image


@image_app.command("gc")
def image_gc(kernel: KernelOption = "debian") -> None:
    """Delete all cached images but this kernel's current one, and all snapshots."""
    from schedcp_gym.machine.image.store import remove_others

    print(f"freed {remove_others(_built_image(kernel)) / 2**20:.0f} MiB")


@image_app.command("info")
def image_info(kernel: KernelOption = "debian", as_json: JsonOption = False) -> None:
    """Print the image's versions and digests."""
    image = _built_image(kernel)
    if as_json:
        print(json.dumps({"folder": str(image.folder), "bytes": image.size_bytes, **image.info}, indent=1))
        return
    _print_pairs(
        {
            "digest": image.digest,
            "folder": image.folder,
            "size": f"{image.size_bytes / 2**20:.0f} MiB",
            "kernel": image.kernel,
            "gcc": image.info["gcc"],
            **{name: f"sha256 {entry['sha256']}" for name, entry in sorted(image.info["files"].items())},
            **{f"package {name}": version for name, version in sorted(image.info["packages"].items())},
        }
    )


@app.command(
    epilog="Examples: [bold]schedcp-gym evaluate fifo schbench[/bold] · "
    "[bold]schedcp-gym evaluate ljf longtail --set favour=ember --seed 1[/bold] · "
    "[bold]schedcp-gym evaluate ./mine.bpf.c schbench --json[/bold]"
)
def evaluate(
    policy: Annotated[str, typer.Argument(help="A policy's name, eevdf, or the path of a .bpf.c file.")],
    workload: Annotated[str, typer.Argument(help="A workload's name.")],
    scale: Annotated[Scale, typer.Option(help="How long the workload runs.")] = Scale.SMOKE,
    tunables: Annotated[list[str] | None, typer.Option("--set", metavar="K=V", help="Set a tunable; repeat.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="The workload's seed.")] = 0,
    cpus: Annotated[int, typer.Option(min=1, max=16, help="CPUs of the machine.")] = 2,
    memory_mib: Annotated[int, typer.Option(min=512, max=8192, help="Memory of the machine.")] = 1024,
    clock: Annotated[Clock, typer.Option(help="virtual: exact; real: host time, noisy.")] = Clock.VIRTUAL,
    kernel: KernelOption = "debian",
    max_job_s: Annotated[float, typer.Option(min=0.001, max=3600, help="Limit of guest time.")] = 120.0,
    max_host_s: Annotated[float, typer.Option(min=1, max=36000, help="Limit of host time.")] = 600.0,
    cold: Annotated[bool, typer.Option("--cold", help="Boot instead of restoring a snapshot; same result.")] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Measure even if the result is known.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run one trial: a policy on a workload. Exits with 0 if its outcome is ok."""
    from schedcp_gym import ui
    from schedcp_gym.lab import Lab, catalogue

    machine = MachineSpec(cpus, memory_mib, clock, kernel, max_job_s, max_host_s)
    trial = Trial(
        policy=catalogue.load_policy(policy, _pairs(tunables or [])),
        workload=catalogue.load_workload(workload),
        machine=machine,
        scale=scale,
        seed=seed,
    )
    with ui.build_progress() as report:
        measurement = Lab(workers=1, cache=not no_cache, cold=cold, report=report).measure([trial])[0]
    if as_json:
        _print_json(measurement)
    else:
        _print_measurement(trial, measurement)
    if not measurement.ok:
        raise typer.Exit(NOT_OK)


@app.command("list", epilog="Example: [bold]schedcp-gym list policies[/bold]")
def list_things(
    kind: Annotated[str, typer.Argument(metavar="policies|workloads|envs|agents")], as_json: JsonOption = False
) -> None:
    """List policies, workloads, environments or agents."""
    listings = {"policies": _policies, "workloads": _workloads, "envs": _envs, "agents": _agents}
    if kind not in listings:
        from schedcp_gym.lab.catalogue import unknown

        raise unknown("kind of thing", kind, listings)
    rows = listings[kind]()
    if as_json:
        print(json.dumps(rows, indent=1))
    else:
        _print_rows(rows)


def _policies() -> list[dict[str, Any]]:
    from schedcp_gym.lab import catalogue
    from schedcp_gym.spec import EEVDF

    eevdf = "the kernel's own scheduler; nothing is loaded"
    rows: list[dict[str, Any]] = [{"policy": EEVDF, "what": eevdf, "tunables": []}]
    for name in catalogue.policy_names()[1:]:
        source = catalogue.load_policy(name).source
        card = catalogue.card_of(source).split("\n")[0].removeprefix(f"{name}: ")
        declared = [
            {
                "name": tunable.name,
                "default": tunable.default,
                "unit": tunable.unit,
                "range": [tunable.low, tunable.high] if tunable.unit else None,
                "what": tunable.description,
            }
            for tunable in catalogue.tunables_of(source)
        ]
        rows.append({"policy": name, "what": card, "tunables": declared})
    return rows


def _workloads() -> list[dict[str, Any]]:
    from schedcp_gym.lab import catalogue

    rows = []
    for name in catalogue.workload_names():
        workload = catalogue.load_workload(name)
        rows.append(
            {
                "workload": name,
                "what": workload.title,
                "objective": ", ".join(workload.objective.weights),
                "metrics": sorted(workload.metrics),
            }
        )
    return rows


def _envs() -> list[dict[str, Any]]:
    import gymnasium

    import schedcp_gym.envs  # noqa: F401  registers them

    return [{"env": name} for name in sorted(gymnasium.registry) if name.startswith("SchedCP/")]


def _agents() -> list[dict[str, Any]]:
    from schedcp_gym.baselines import agent_names, agent_summary

    return [{"agent": name, "what": agent_summary(name)} for name in agent_names()]


def _pairs(settings: list[str]) -> dict[str, object]:
    values: dict[str, object] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise BadInput(f"--set takes NAME=VALUE, not {setting!r}")
        values[name] = value
    return values


def _print_json(measurement: Measurement) -> None:
    from pydantic import TypeAdapter

    print(json.dumps(TypeAdapter(Measurement).dump_python(measurement, mode="json"), indent=1))


def _print_measurement(trial: Trial, measurement: Measurement) -> None:
    if not measurement.ok:
        if measurement.log:
            print(measurement.log.strip()[-4000:], file=sys.stderr)
        print(f"{measurement.outcome.value}: {measurement.message}", file=sys.stderr)
        return
    _print_metrics(trial.workload, measurement)
    source = "from the cache" if measurement.cached else "host seconds"
    timings = ", ".join(f"{name} {spent:.2f}" for name, spent in measurement.timings_s.items())
    named = f"{trial.policy.name} on {trial.workload.name} ({trial.scale.value}, seed {trial.seed})"
    print(f"{named}: ok · {source}: {timings}")
    if measurement.events:
        print("events: " + ", ".join(f"{name} {count}" for name, count in measurement.events.items()))


def _print_metrics(workload: Workload, measurement: Measurement) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for heading, justify in (("metric", "left"), ("value", "right"), ("unit", "left"), ("better", "left")):
        table.add_column(heading, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("what", overflow="fold")
    for name, metric in workload.metrics.items():
        better = "less" if metric.direction == "minimize" else "more"
        style = "bold" if name in workload.objective.weights else ""
        value = f"{measurement.metrics[name]:,.3f}"
        table.add_row(name, value, metric.unit, better, metric.description, style=style)
    if measurement.utilisation is not None:
        share = f"{100 * measurement.utilisation:.1f}"
        table.add_row("utilisation", share, "%", "", "share of the CPUs' time spent busy")
    Console().print(table)


def _print_pairs(pairs: dict[str, object]) -> None:
    width = max(map(len, pairs))
    for name, value in pairs.items():
        print(f"{name:<{width}}  {value}")


def _print_rows(rows: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for name in rows[0] if rows else ["there are none"]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    Console().print(table)


def _cell(value: object) -> str:
    if isinstance(value, list):
        return "\n".join(_tunable_text(item) if isinstance(item, dict) else str(item) for item in value)
    return str(value)


def _tunable_text(tunable: dict[str, Any]) -> str:
    limits = f" ({tunable['range'][0]} to {tunable['range'][1]} {tunable['unit']})" if tunable["range"] else ""
    return f"{tunable['name']}={tunable['default']}{limits}"


if __name__ == "__main__":
    main()
