"""Observation: looks, tier by tier, as long as it is not clear what decides; then writes down what was seen."""

from typing import Any

from schedcp_gym.llm.providers._offline import profile, ruleset
from schedcp_gym.llm.providers._offline.conversation import Conversation
from schedcp_gym.llm.providers._offline.facts import Facts, Group, is_hog, is_sleeper

#: Processes and waits that are told, at most.
PROCESSES, WAITS = 5, 4


def turn(talk: Conversation) -> Any:
    """The next looks, or the profile."""
    return looks(talk) or written(talk)


def looks(talk: Conversation) -> list[tuple[str, dict[str, Any]]]:
    """What to look at next; empty when nothing more would change anything."""
    workload = profile.workload_of(talk)
    if not workload:
        can_ask = "list_workloads" in talk.tools and not talk.asked("list_workloads")
        return [talk.call("list_workloads")] if can_ask else []
    first = [name for name in ("describe_workload", "analyze_workload") if name in talk.tools]
    if missing := [name for name in first if not talk.asked(name)]:
        return [talk.call(name, workload=workload) for name in missing]
    facts = profile.facts_of(talk)
    for look in ruleset.load("profile")["looks"]:
        name = look["tool"]
        if name in talk.tools and not talk.asked(name) and ruleset.holds(look["when"], facts):
            return [talk.call(name, workload=workload, profiles=look.get("profiles"))]
    return []


def written(talk: Conversation) -> dict[str, Any]:
    """The profile, in the form of the roles' messages."""
    facts = profile.facts_of(talk)
    rules = ruleset.load("profile")
    diagnoses = ruleset.holding(facts)[:2]
    says = " ".join(ruleset.fill(rule["says"], facts) for rule in diagnoses) if facts else rules["nothing"]
    return {
        "workload": profile.workload_of(talk),
        "workload_class": rules["classes"][facts.goal],
        "summary": says,
        "goals": [ruleset.fill(rule["better"], facts) for rule in diagnoses],
        "processes": _processes(facts)[:PROCESSES],
        "waits": _waits(facts),
        "figures": {name: round(float(value), 3) for name, value in sorted(facts.figures.items())},
        "unknown": _unknown(facts),
    }


def _processes(facts: Facts) -> list[dict[str, Any]]:
    parts = ruleset.load("profile")["parts"]

    def told(part: str, name: str, group: Group | None) -> dict[str, Any]:
        process: dict[str, Any] = {"name": name, "matters": ruleset.fill(parts[part]["matters"], facts)}
        if group:
            process |= {
                "tasks": group.tasks,
                "cpu_share": group.share,
                "burst_p50_ms": group.burst_p50_ms,
                "wait_p99_ms": group.wait_p99_ms,
            }
        return process

    found = []
    if "outlier" in facts.names:
        found.append({**told("outlier", facts.names["outlier"], None), "tasks": 1})
        if facts.outliers:
            found[0]["cpu_share"] = facts.outliers[0].share
    if "server" in facts.names:
        served = next((one for one in facts.groups if one.name.startswith(facts.names["server"])), None)
        found.append(told("server", facts.names["server"], served if served and is_sleeper(served) else None))
    for group in facts.groups:
        if group.name and group.name not in {one["name"] for one in found}:
            found.append(told("hog" if is_hog(group) else "other", group.name, group))
    return found


def _waits(facts: Facts) -> list[str]:
    rules = ruleset.load("profile")
    waits = [
        ruleset.fill(
            rules["wait"],
            facts,
            name=group.label,
            wait_p99_ms=ruleset.shown(group.wait_p99_ms),
            burst_p50_ms=ruleset.shown(group.burst_p50_ms),
        )
        for group in facts.groups[:2]
    ]
    wakes = [
        ruleset.fill(rules["wakes"], facts, waker=waker, wakee=wakee, count=str(count))
        for waker, wakee, count in facts.wakes[:2]
    ]
    return (waits + wakes)[:WAITS]


def _unknown(facts: Facts) -> list[str]:
    texts = ruleset.load("profile")["unknown"]
    unknown = [] if facts.groups else [texts["no_summary"]]
    if facts.figures.get("outlier_times") and not facts.figures.get("outlier_is_named"):
        unknown.append(texts["unnamed"])
    return unknown
