"""The facts of a conversation: from an analysis, from someone's profile, or from who used how much CPU time."""

import dataclasses
import re
import statistics
from collections.abc import Mapping
from typing import Any

from schedcp_gym.llm.providers._offline import ruleset
from schedcp_gym.llm.providers._offline.conversation import Conversation
from schedcp_gym.llm.providers._offline.facts import NAME_CHARS, Facts, goal_of, read_summary

#: In a baseline's CPU times: so many times the median stands out, where there are so many of its like.
STANDS_OUT, CROWD = 3.0, 4
#: Processes with less than this share of the median are set-up or helpers.
SMALL = 0.25


def facts_of(talk: Conversation) -> Facts:
    """What is known, from the best source there is."""
    return dataclasses.replace(_facts(talk), workload=workload_of(talk))


def _facts(talk: Conversation) -> Facts:
    target, task = talk.block("target"), talk.block("task")
    for block in reversed(talk.blocks):
        given = next((value for value in block.values() if isinstance(value, Mapping) and "target" in value), None)
        if given:
            target = given["target"]
            if isinstance(given.get("profile"), Mapping):
                return _fallback(from_profile(given["profile"], target), target, task)
            break
    for call in reversed(talk.of("analyze_workload")):
        found = read_summary(call.text)
        if found.groups and call.arguments.get("policy") in (None, "", "eevdf"):
            return _fallback(found, target, task)
    return _fallback(Facts(), target, task)


def workload_of(talk: Conversation) -> str:
    """The workload's name as the tools take it."""
    for block in reversed(talk.blocks):
        for value in [block, *block.values()]:
            if isinstance(value, Mapping):
                inner = value.get("target") if isinstance(value.get("target"), Mapping) else value
                if isinstance(inner, Mapping) and isinstance(inner.get("workload"), str):
                    return str(inner["workload"])
    for call in reversed(talk.all_calls):
        if isinstance(call.arguments.get("workload"), str):
            return str(call.arguments["workload"])
    for call in talk.of("list_workloads"):
        if found := re.match(r"(?:[-*] )?([\w.-]+)", call.text):
            return found[1]
    return ""


def from_profile(profile: Mapping[str, Any], target: Mapping[str, Any]) -> Facts:
    """Facts from a profile in the form of the roles' messages, whoever wrote it."""
    parts = ruleset.load("profile")["parts"]
    names: dict[str, str] = {}
    processes = [one for one in profile.get("processes") or () if isinstance(one, Mapping) and one.get("name")]
    for process in processes:
        for part, rule in parts.items():
            if ruleset.matches(rule["told_by"], str(process.get("matters", ""))):
                names.setdefault(part, str(process["name"])[:NAME_CHARS])
                break
    told = (profile.get("figures") or {}).items()
    figures = {str(name): float(value) for name, value in told if isinstance(value, (int, float))}
    main = max(processes, key=lambda one: one.get("cpu_share") or 0.0, default={})
    own = {
        "main_tasks": main.get("tasks"),
        "main_burst_p50_ms": main.get("burst_p50_ms"),
        "main_wait_p99_ms": main.get("wait_p99_ms"),
        "main_share_percent": 100 * main["cpu_share"] if main.get("cpu_share") else None,
        "sleepers": 1.0 if "server" in names else None,
    }
    if "main_burst_p99_ms" not in figures and own["main_burst_p50_ms"]:
        own["main_burst_p99_ms"] = 4 * own["main_burst_p50_ms"]
    if "outlier" in names and "outlier_times" not in figures:
        own |= {"outlier_times": STANDS_OUT, "outlier_is_named": 1.0, "outlier_share_percent": 10.0}
    for name, value in own.items():
        if value is not None:
            figures.setdefault(name, float(value))
    return Facts(figures, _goal(target, {}), names)


def _fallback(facts: Facts, target: Mapping[str, Any], task: Mapping[str, Any]) -> Facts:
    """Facts, with what the task's own figures say of what is not known otherwise."""
    goal = facts.goal or _goal(target, task)
    cpu_s = target.get("processes_cpu_s") or task.get("cpu_s_by_process") or {}
    figures, names = {**facts.figures, **_possible(target)}, dict(facts.names)
    # More of its like are seen in a trace than by name: only where there is none, names are looked at.
    if not facts and isinstance(cpu_s, Mapping):
        more, outlier = _stands_out({str(name): float(spent) for name, spent in cpu_s.items() if "(" not in str(name)})
        figures |= more
        if outlier:
            names["outlier"] = outlier
    return Facts(figures, goal, names, facts.groups, facts.outliers, facts.wakes)


def _possible(target: Mapping[str, Any]) -> dict[str, float]:
    """How far the baseline is from the best that any schedule can reach, where that is told."""
    goals = [one for one in target.get("goals") or () if isinstance(one, Mapping)]
    if len(goals) != 1 or not goals[0].get("best_possible") or not goals[0].get("eevdf"):
        return {}
    eevdf, best = float(goals[0]["eevdf"]), float(goals[0]["best_possible"])
    share = best / eevdf if goals[0].get("direction") == "minimize" else eevdf / best
    return {"above_best_percent": 100 * (1 - share)} if 0 < share <= 1 else {}


def _goal(target: Mapping[str, Any], task: Mapping[str, Any]) -> str:
    goals = [str(one.get("metric", "")) for one in target.get("goals") or () if isinstance(one, Mapping)]
    objective = task.get("objective")
    weights = objective.get("weights") if isinstance(objective, Mapping) else None
    return goal_of(goals or list(weights or ()))


def _stands_out(cpu_s: Mapping[str, float]) -> tuple[dict[str, float], str]:
    """Whether one of many like processes used far more CPU time, by what was counted for each name."""
    ranked = sorted(cpu_s.items(), key=lambda item: (-item[1], item[0]))
    total = sum(cpu_s.values())
    if not ranked or total <= 0:
        return {}, ""
    crowd = [spent for _, spent in ranked if spent >= SMALL * statistics.median(cpu_s.values())]
    figures = {"main_share_percent": round(100 * ranked[0][1] / total), "process_names": float(len(crowd))}
    median = statistics.median(crowd)
    if len(crowd) < CROWD or ranked[0][1] < STANDS_OUT * median:
        return figures, ""
    figures |= {
        "outlier_times": ranked[0][1] / median,
        "outlier_share_percent": 100 * ranked[0][1] / total,
        "outlier_is_named": 1.0,
        "main_median_ms": 1000 * median,
    }
    return figures, ranked[0][0][:NAME_CHARS]
