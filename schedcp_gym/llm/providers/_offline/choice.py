"""Choose what to try next: policies that a search has found, and better values for the best one so far."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schedcp_gym.llm.providers._offline.conversation import Calls, Conversation, PastCall
from schedcp_gym.llm.providers._offline.facts import WorkloadFacts, diagnoses, filled
from schedcp_gym.spec.policy import Value

Values = Mapping[str, Value]
#: Names of the tunables for a favoured process.
FAVOUR = ("favour", "high_name")
#: Units of the tunables that are varied, and the factors of a step.
UNITS, FACTORS = ("us", "ms", "percent"), (2.0, 0.5, 4.0, 0.25)
#: Limit of a search's hits, and of the diagnoses that are searched for.
HITS, SEARCHES = 6, 2


@dataclass(frozen=True)
class Result:
    """A policy that was measured; ``reward`` is the log of the improvement."""

    policy: str
    values: Values
    reward: float
    ok: bool = True


@dataclass(frozen=True)
class Proposal:
    """A policy of the repository to try, with values for its tunables."""

    policy: str
    values: Values = field(default_factory=dict)
    why: str = ""


def searches(talk: Conversation, facts: WorkloadFacts) -> Calls:
    """Return the searches to make, if none was made for this task."""
    if not talk.missing("search_repository"):
        return []
    queries = [str(rule["query"]) for rule in diagnoses(facts)[:SEARCHES]]
    return [("search_repository", {"query": query, "limit": HITS}) for query in queries]


def found(talk: Conversation) -> list[str]:
    """Return the names that the searches have found, the best first, those of the first search before others."""
    hits = [hit for call in talk.of("search_repository") for hit in call.data["hits"]]
    names = dict.fromkeys(hit["name"] for hit in hits if hit["kind"] == "policy")
    proven = {hit["name"]: (hit.get("best") or {}).get("improvement") or 1.0 for hit in hits}
    places = {name: place for place, name in enumerate(names)}
    # A result that a policy has already counts more than its place.
    return sorted(names, key=lambda name: places[name] - 10 * math.log(proven[name]))


def known(talk: Conversation) -> dict[str, Sequence[Mapping[str, Any]]]:
    """Return the tunables of the policies that were read, by the name they were asked for."""
    return {str(call.arguments["policy"]): call.data["tunables"] for call in talk.of("get_policy")}


def first_values(tunables: Sequence[Mapping[str, Any]], facts: WorkloadFacts) -> dict[str, Value]:
    """Return the values that the diagnosis asks for, as far as they differ from the defaults."""
    rule = diagnoses(facts)[0]
    values: dict[str, Value] = {}
    for tunable in tunables:
        if rule.get("favour") and tunable["name"] in FAVOUR:
            values[tunable["name"]] = facts.outlier
        elif "slice" in rule and tunable["name"] == "slice_us":
            least_us = 1000 * facts.figures.get(rule["slice"]["figure"], 0.0) * rule["slice"]["times"]
            value = _inside(max(least_us, tunable["default"]), tunable)
            if value != tunable["default"]:
                values["slice_us"] = value
    return values


def fresh(talk: Conversation, facts: WorkloadFacts, tried: Sequence[str]) -> list[Proposal]:
    """Return the policies that were read and not tried, in the order of the search."""
    tunables, better = known(talk), filled(diagnoses(facts)[0]["better"], facts)
    names = [name for name in found(talk) if name in tunables and name not in tried]
    return [Proposal(name, first_values(tunables[name], facts), better) for name in names]


def steps(best: Result, tunables: Sequence[Mapping[str, Any]], results: Sequence[Result]) -> Iterator[Proposal]:
    """Yield the best policy with one tunable changed, without what was measured; lengths of turns come first."""
    seen = [dict(one.values) for one in results if one.policy == best.policy]
    numbers = [one for one in tunables if one.get("unit") in UNITS and "low" in one]
    for factor in FACTORS:
        for tunable in sorted(numbers, key=lambda one: "slice" not in one["name"]):
            name = tunable["name"]
            value = _inside(float(best.values.get(name, tunable["default"])) * factor, tunable)
            values = {**best.values, name: value}
            if value != best.values.get(name, tunable["default"]) and values not in seen:
                seen.append(values)
                yield Proposal(best.policy, values, f"A step from the best so far: {name} = {value}.")


def best_of(results: Sequence[Result]) -> Result | None:
    """Return the best result that ended well; None if there is none."""
    return max((one for one in results if one.ok), key=lambda one: one.reward, default=None)


def measured(calls: Sequence[PastCall]) -> list[Result]:
    """Return the results of measurements, under the names and values of the calls."""
    return [
        Result(
            str(call.arguments.get("policy") or call.data["policy"]),
            dict(call.arguments.get("tunables") or {}),
            float(call.data["reward"]),
            call.data["outcome"] == "ok",
        )
        for call in calls
        if "reward" in call.data
    ]


def is_asked(policy: str, values: Values, calls: Sequence[PastCall]) -> bool:
    """Return whether a measurement was asked for, whatever the result."""
    return any(
        call.name == "measure_policy"
        and call.arguments.get("policy") == policy
        and (call.arguments.get("tunables") or {}) == dict(values)
        for call in calls
    )


def measure(workload: str, one: Proposal | Result) -> tuple[str, dict[str, Any]]:
    """Return the call that measures a policy."""
    return "measure_policy", {"workload": workload, "policy": one.policy, "tunables": dict(one.values)}


def _inside(value: float, tunable: Mapping[str, Any]) -> int:
    return int(min(max(round(value), tunable["low"]), tunable["high"]))
