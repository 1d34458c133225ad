"""The command ``schedcp-gym list``: list policies, workloads, environments, agents, profiles, rules and cases."""

from typing import Annotated, Any

import typer

from schedcp_gym.cli import options

#: Fields that are too long for the table; JSON has them.
JSON_ONLY = ("metrics",)


@options.command("schedcp-gym list policies", "schedcp-gym list workloads --json", "schedcp-gym list envs", name="list")
def list_things(
    kind: Annotated[str, typer.Argument(metavar="policies|workloads|envs|agents|profiles|rules|cases")],
    as_json: options.JsonOption = False,
) -> None:
    """List policies, workloads, environments, agents, profiles, rules or cases. --json prints more details."""
    from schedcp_gym.printing import console_of, print_json, table_of

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
        print_json(rows)
        return
    columns = [name for name in rows[0] if name not in JSON_ONLY] if rows else ["there are none"]
    console_of().print(table_of(columns, ([_cell(row[name]) for name in columns] for row in rows)))


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

    return [
        {
            "workload": workload.name,
            "what": workload.title,
            "objective": ", ".join(workload.objective.weights),
            "on request": sorted(workload.objectives),
            "metrics": sorted(workload.metrics),
        }
        for workload in map(catalogue.load_workload, catalogue.workload_names())
    ]


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


def _cell(value: object) -> str:
    from schedcp_gym.printing import safe

    if isinstance(value, list):
        return safe("\n".join(_tunable_text(item) if isinstance(item, dict) else str(item) for item in value))
    return safe(value)


def _tunable_text(tunable: dict[str, Any]) -> str:
    unit = f" {tunable['unit']}" if tunable["unit"] else ""
    limits = f" ({tunable['range'][0]} to {tunable['range'][1]}{unit})" if tunable["range"] else ""
    return f"{tunable['name']}={tunable['default']}{limits}"
