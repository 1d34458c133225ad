"""Facts about a workload, from the data of an analysis or of a profile, and the diagnoses that fit them."""

import functools
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_RULES = Path(__file__).with_name("rules.yaml")
#: A group of hogs: it hardly sleeps, and its bursts are long.
HOG_SLEEP, HOG_BURST_MS = 0.1, 25.0
#: A group of sleepers: it sleeps much, and its bursts are short.
SLEEPER_SLEEP, SLEEPER_BURST_MS = 0.3, 3.0
#: Where only CPU seconds by name are known: a process stands out with so many times the median.
STANDS_OUT = 3.0


@dataclass(frozen=True)
class WorkloadFacts:
    """Facts about a workload.

    Attributes:
        workload_class: ``batch``, ``latency``, ``throughput`` or ``mixed``.
        figures: Figures by name, with units in the names; shares are 0 to 1.
        outlier: Name of the process with far more CPU time than its like; empty if there is none, or its name does not
            tell it from the others.
    """

    workload_class: str = "mixed"
    figures: Mapping[str, float] = field(default_factory=dict)
    outlier: str = ""


def of_analysis(data: Mapping[str, Any], workload_class: str) -> WorkloadFacts:
    """Return the facts in the data of ``analyze_workload``."""
    groups = data.get("groups") or []
    if not groups:
        return WorkloadFacts(workload_class)
    main = groups[0]
    hogs = [one for one in groups if one["sleep_share"] <= HOG_SLEEP and one["burst_p99_ms"] >= HOG_BURST_MS]
    sleepers = [
        one for one in groups if one["sleep_share"] >= SLEEPER_SLEEP and one["burst_p99_ms"] <= SLEEPER_BURST_MS
    ]
    figures = {
        "main_share": main["cpu_share"],
        "main_tasks": main["tasks"],
        "main_median_ms": main["median_cpu_ms"],
        "main_burst_p99_ms": main["burst_p99_ms"],
        "main_wait_p99_ms": main["wait_p99_ms"],
        "hogs_share": sum(one["cpu_share"] for one in hogs),
        "sleepers": sum(one["tasks"] for one in sleepers),
    }
    outliers = sorted((one for group in groups for one in group["outliers"]), key=lambda one: -one["cpu_ms"])
    if outliers:
        figures |= {"outlier_times": outliers[0]["times_median"], "outlier_share": outliers[0]["cpu_share"]}
    name = outliers[0]["name"] if outliers and outliers[0]["is_named"] else ""
    return WorkloadFacts(workload_class, {key: float(value) for key, value in figures.items()}, name)


def of_profile(profile: Mapping[str, Any]) -> WorkloadFacts:
    """Return the facts in a profile as :func:`~.roles.observation` writes it: an outlier comes first."""
    figures = profile.get("figures") or {}
    first: Mapping[str, Any] = next(iter(profile.get("processes") or ()), {})
    named = "outlier_times" in figures and first.get("tasks") == 1
    return WorkloadFacts(profile.get("workload_class", "mixed"), figures, first.get("name", "") if named else "")


def of_cpu_seconds(cpu_s_by_name: Mapping[str, float]) -> WorkloadFacts:
    """Return the facts that CPU seconds by process name show: whether one process stands out."""
    ranked = sorted(cpu_s_by_name.items(), key=lambda item: (-item[1], item[0]))
    if len(ranked) < 4 or ranked[0][1] < STANDS_OUT * ranked[len(ranked) // 2][1]:
        return WorkloadFacts()
    return WorkloadFacts(outlier=ranked[0][0])


def diagnoses(facts: WorkloadFacts) -> Sequence[Mapping[str, Any]]:
    """Return the rules that fit the facts, the most specific first; there is always one."""
    return [
        rule
        for rule in _rules()
        if facts.workload_class in rule["classes"]
        and all(facts.figures.get(name, 0.0) >= least for name, least in rule["least"].items())
        and (facts.outlier or not rule.get("favour"))
    ]


def filled(text: str, facts: WorkloadFacts) -> str:
    """Return a text with figures in the place of their names."""
    values = {name: f"{value:.3g}" for name, value in facts.figures.items()}
    return string.Template(text).safe_substitute(values, outlier=facts.outlier)


@functools.cache
def _rules() -> Sequence[Mapping[str, Any]]:
    rules: Sequence[Mapping[str, Any]] = yaml.safe_load(_RULES.read_text())
    return rules
