"""What to try next: policies that fit a diagnosis, better values for the best so far, and new policies by template."""

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schedcp_gym.llm.providers._offline import ruleset, tune
from schedcp_gym.llm.providers._offline.facts import Facts
from schedcp_gym.llm.providers._offline.library import Known, Tunable, tunables_of
from schedcp_gym.llm.providers._offline.tune import Point, Value
from schedcp_gym.llm.providers._offline.write import compose, starts

#: Diagnoses that are asked the repository for.
DIAGNOSES = 2
#: Below this, a policy does not fit at all.
LEAST_SCORE = 0.4
#: A gain smaller than this is not worth an evaluation of its own idea's rivals.
NEAR_BEST = 0.02


@dataclass(frozen=True)
class Result:
    """A policy that was measured."""

    policy: str
    values: Mapping[str, Value]
    reward: float
    ok: bool = True


@dataclass(frozen=True)
class Proposal:
    """Something to try.

    Attributes:
        way: ``configure``, ``patch`` or ``compose``.
        policy: Its name; of a composed one empty.
        values: Values of its tunables.
        why: Reason.
        score: How well it is thought to fit; the higher the better.
        change: What to write, in words.
        writes: Name of the patch or template.
    """

    way: str
    policy: str
    values: Mapping[str, Value]
    why: str
    score: float = 0.0
    change: str = ""
    writes: str = ""
    primitives: tuple[str, ...] = field(default_factory=tuple)


def queries(facts: Facts, most: int = DIAGNOSES) -> list[str]:
    """What to ask the repository, the most telling first."""
    return [str(rule["query"]) for rule in ruleset.holding(facts)[:most]]


def fitting(facts: Facts, known: Sequence[Known]) -> list[Proposal]:
    """Policies of the repository that fit, each with values to begin with, the best first."""
    found = []
    for policy in known:
        scored = [_fit(facts, policy, rule, place) for place, rule in enumerate(ruleset.holding(facts)[:3])]
        best = max(scored, key=lambda proposal: proposal.score, default=None)
        if best and best.score >= LEAST_SCORE:
            found.append(best)
    return sorted(found, key=lambda proposal: (-proposal.score, proposal.policy))


def worth_reading(facts: Facts, known: Sequence[Known], most: int, tried: Collection[str] = ()) -> list[str]:
    """Policies whose tunables should be looked at before they are chosen, by what is known of them so far."""
    ranked = [proposal.policy for proposal in fitting(facts, known)] or [policy.name for policy in known]
    read = {policy.name for policy in known if policy.is_read}
    return [name for name in [name for name in ranked if name not in tried][:most] if name not in read]


def starting_values(facts: Facts, tunables: Sequence[Tunable], rule: Mapping[str, Any]) -> dict[str, Value]:
    """Values that a diagnosis asks for, where they differ from the defaults."""
    values: dict[str, Value] = {}
    for tunable in tunables:
        if tunable.type == "text":
            if name := _bound(tunable, rule, facts):
                values[tunable.name] = name
        elif tunable.is_number and not _is_switch(tunable) and (factor := _us_per_unit(tunable)):
            least = _limits(tunable, rule.get("atleast"), facts)
            most = _limits(tunable, rule.get("atmost"), facts)
            value = float(tunable.default)
            value = max([value, *(limit / factor for limit in least)])
            value = min([value, *(limit / factor for limit in most)])
            if tunable.inside(_round(value)) != tunable.default:
                values[tunable.name] = tunable.inside(_round(value))
    return values


def better_values(policy: str, tunables: Sequence[Tunable], results: Sequence[Result]) -> Iterator[dict[str, Value]]:
    """Values of a policy that was measured, to be measured next."""
    points = [
        Point(tune.complete(result.values, tunables), result.reward) for result in results if result.policy == policy
    ]
    defaults = {tunable.name: tunable.default for tunable in tunables}
    for values in tune.steps(tunables, points, order=_order(tunables), fixed=_useless(tunables, points)):
        yield {name: value for name, value in values.items() if value != defaults.get(name)}


def written(facts: Facts, tried: Sequence[str] = (), *, simple: bool = True) -> list[Proposal]:
    """Policies that could be written from nothing, the best first.

    Args:
        facts: What is known.
        tried: Templates that are left out.
        simple: Whether templates count that do no more than a library's policies, with less care.
    """
    names: list[tuple[str, Mapping[str, Any]]] = []
    for rule in ruleset.holding(facts):
        names += [(name, rule) for name in rule.get("write") or () if name not in dict(names)]
    proposals = []
    for name, rule in names:
        text = ruleset.load("templates")["templates"][name]
        if name in tried or (text.get("simple") and not simple):
            continue
        values = starting_values(facts, _tunables_of(name), {"bind": rule.get("bind") or ()})
        values |= starts(name, facts)
        proposals.append(
            Proposal(
                "compose",
                "",
                values,
                ruleset.fill(rule["better"], facts),
                change=" ".join(text["change"].split()),
                writes=name,
                primitives=tuple(text["primitives"]),
            )
        )
    return proposals


def patched(facts: Facts, known: Sequence[Known], tried: Sequence[str]) -> list[Proposal]:
    """Changes of a policy's source that a diagnosis asks for, where the source has the place for it."""
    wanted = [name for rule in ruleset.holding(facts)[:2] for name in rule.get("patch") or ()]
    proposals = []
    for patch in ruleset.load("patches")["patches"]:
        if patch["name"] not in wanted or patch["name"] in tried:
            continue
        base = next((one for one in known if one.source and re.search(patch["finds"], one.source)), None)
        if base:
            rule = next(rule for rule in ruleset.holding(facts) if patch["name"] in (rule.get("patch") or ()))
            values = starting_values(facts, base.tunables, rule)
            why = ruleset.fill(rule["better"], facts)
            change = " ".join(patch["change"].split())
            proposals.append(Proposal("patch", base.name, values, why, change=change, writes=patch["name"]))
    return proposals


def best_of(results: Sequence[Result]) -> Result | None:
    """The best that was measured; None if nothing ended well."""
    ended_well = [result for result in results if result.ok]
    return max(ended_well, key=lambda result: result.reward, default=None)


def is_new(policy: str, values: Mapping[str, Value], results: Sequence[Result]) -> bool:
    """Whether nothing of the same policy and values was measured."""
    return not any(result.policy == policy and dict(result.values) == dict(values) for result in results)


def _fit(facts: Facts, policy: Known, rule: Mapping[str, Any], place: int) -> Proposal:
    values = starting_values(facts, policy.tunables, rule)
    bound = any(isinstance(value, str) for value in values.values())
    good = ruleset.matches(rule.get("good") or (), policy.good or policy.card)
    bad = ruleset.matches(rule.get("bad") or (), policy.bad)
    # The repository's order weighs, what the card says weighs more, and what was measured the most.
    score = 1.0 / (1 + 0.25 * policy.rank) + 0.6 * min(good, 2) - 1.0 * bad + 1.2 * bound - 0.5 * place
    if rule.get("bind") and policy.is_read and not bound:
        score -= 0.5
    score += 2.0 * math.log(max(policy.measured(facts.workload), 0.1))
    why = f"{ruleset.fill(rule['better'], facts)}. {_first_sentence(policy.good)}".strip()
    return Proposal("configure", policy.name, values, why, score)


def _bound(tunable: Tunable, rule: Mapping[str, Any], facts: Facts) -> str:
    for bind in rule.get("bind") or ():
        if re.search(bind["described"], f"{tunable.name} {tunable.text}", re.IGNORECASE) and bind["as"] in facts.names:
            return facts.names[bind["as"]]
    return ""


def _limits(tunable: Tunable, limits: Sequence[Mapping[str, Any]] | None, facts: Facts) -> list[float]:
    """In microseconds."""
    return [
        1000 * facts.figures[limit["figure"]] * limit["times"]
        for limit in limits or ()
        if limit["figure"] in facts.figures and re.search(limit["tunable"], tunable.name)
    ]


def _us_per_unit(tunable: Tunable) -> float:
    return {"us": 1.0, "ms": 1000.0, "ns": 0.001}.get(tunable.unit, 0.0)


def _is_switch(tunable: Tunable) -> bool:
    return tunable.type == "bool" or tunable.high <= 1


def _round(value: float) -> float:
    """To two digits: more would pretend to know."""
    if value <= 0:
        return value
    digits = 10 ** (math.floor(math.log10(value)) - 1)
    return float(round(value / digits) * digits) if digits > 1 else float(round(value))


def _order(tunables: Sequence[Tunable]) -> list[str]:
    """Names in the order in which they are worth a try: turns first, then margins and head starts, then the rest."""
    weights = ruleset.load("tuning")["order"]

    def place(tunable: Tunable) -> int:
        return next((i for i, pattern in enumerate(weights) if re.search(pattern, tunable.name)), len(weights))

    return [tunable.name for tunable in sorted(tunables, key=place)]


def _useless(tunables: Sequence[Tunable], points: Sequence[Point]) -> list[str]:
    """Tunables that can change nothing: they belong to a name or a class that is not set."""
    best = max(points, key=lambda point: point.reward, default=None)
    if best is None:
        return []
    useless = []
    for rule in ruleset.load("tuning")["useless"]:
        texts = [one.name for one in tunables if one.type in ("text", "cgroup") and re.search(rule["unless"], one.name)]
        if texts and not any(best.values.get(name) for name in texts):
            useless += [one.name for one in tunables if re.search(rule["tunable"], one.name)]
    never = ruleset.load("tuning")["never"]
    return useless + [one.name for one in tunables if any(re.search(pattern, one.name) for pattern in never)]


def _tunables_of(template: str) -> tuple[Tunable, ...]:
    return tunables_of(compose(template, Facts()))


def _first_sentence(text: str) -> str:
    return text[:1].upper() + text[1:160].partition(". ")[0] if text else ""
