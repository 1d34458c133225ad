"""``schedcp-gym list``: policies, workloads, environments, agents, and what the verifier looks at."""

import json
from typing import Annotated, Any

import typer

from schedcp_gym.cli.options import JsonOption

#: Too long for a table.
JSON_ONLY = ("metrics",)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("list", epilog="Example: [bold]schedcp-gym list policies[/bold]")(list_things)


def list_things(
    kind: Annotated[str, typer.Argument(metavar="policies|workloads|envs|agents|profiles|rules|cases")],
    as_json: JsonOption = False,
) -> None:
    """List policies, workloads, environments, agents, profiles, or the verifier's rules and cases; --json says more."""
    listings = {
        "policies": _policies,
        "workloads": _workloads,
        "envs": _envs,
        "agents": _agents,
        "profiles": _profiles,
        "rules": _rules,
        "cases": _cases,
    }
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
    from schedcp_gym.spec import EEVDF, TunableType

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
                "range": None if tunable.is_name or tunable.type is TunableType.BOOL else [tunable.low, tunable.high],
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
                "on request": sorted(workload.objectives),
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


def _profiles() -> list[dict[str, Any]]:
    from schedcp_gym.control.analysis.program import all_probes

    return [
        {"profile": probe.name, "what": probe.says, "by default": "yes" if probe.default else ""}
        for probe in all_probes().values()
    ]


def _rules() -> list[dict[str, Any]]:
    from schedcp_gym.control.verifier.source.rules import all_rules

    return [
        {"rule": rule.id, "severity": rule.severity.value, "why": rule.why, "fix": rule.fix} for rule in all_rules()
    ]


def _cases() -> list[dict[str, Any]]:
    from schedcp_gym.control.verifier.behaviour.case import load_cases

    rows: list[dict[str, Any]] = []
    for case in load_cases():
        figures = [f"{name} {'>=' if limit.at_least else '<='} {limit.limit:g}" for name, limit in case.figures.items()]
        rows.append({"case": case.name, "what": case.about, "figures": figures})
    return rows


def _print_rows(rows: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    columns = [name for name in rows[0] if name not in JSON_ONLY] if rows else ["there are none"]
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row[name]) for name in columns))
    Console().print(table)


def _cell(value: object) -> str:
    if isinstance(value, list):
        return "\n".join(_tunable_text(item) if isinstance(item, dict) else str(item) for item in value)
    return str(value)


def _tunable_text(tunable: dict[str, Any]) -> str:
    unit = f" {tunable['unit']}" if tunable["unit"] else ""
    limits = f" ({tunable['range'][0]} to {tunable['range'][1]}{unit})" if tunable["range"] else ""
    return f"{tunable['name']}={tunable['default']}{limits}"
