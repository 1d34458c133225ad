"""Learning: asks what the best policy changed, keeps what holds, and says what the next round should try."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from schedcp_gym.llm.providers._offline import planning, profile, propose, ruleset
from schedcp_gym.llm.providers._offline.conversation import Conversation
from schedcp_gym.llm.providers._offline.facts import Facts
from schedcp_gym.llm.providers._offline.propose import Result

#: Lessons handed on, at most.
LESSONS = 8
#: Gains below this are told as none.
GAIN = 0.02
#: Rounds without a gain of this size, after which no more is expected, and results there have to be for that.
SATURATED, ENOUGH_RESULTS = 0.01, 12


def turn(talk: Conversation) -> Any:
    """The next calls, or the lessons."""
    task = _task(talk)
    facts = profile.facts_of(talk)
    tried, before = planning.results_of(task.get("tried") or ()), planning.results_of(task.get("history") or ())
    if calls := _calls(talk, task, facts, tried, before):
        return calls
    return _lessons(task, facts, tried, before)


def _task(talk: Conversation) -> Mapping[str, Any]:
    for block in reversed(talk.blocks):
        for value in (block, *block.values()):
            if isinstance(value, Mapping) and "tried" in value:
                return value
    return {}


def _calls(
    talk: Conversation, task: Mapping[str, Any], facts: Facts, tried: Sequence[Result], before: Sequence[Result]
) -> list[tuple[str, dict[str, Any]]]:
    best = propose.best_of(tried)
    workload = profile.workload_of(talk)
    if best is None:
        return []
    is_gain = best.reward > max([GAIN, *(one.reward for one in before if one.ok)])
    if "get_feedback" in talk.tools and not talk.asked("get_feedback") and is_gain:
        return [talk.call("get_feedback", workload=workload, policy=best.policy, tunables=dict(best.values))]
    calls = []
    is_written = best.policy.startswith(planning.DRAFT)
    if is_written and is_gain and "add_policy" in talk.tools and not talk.asked("add_policy"):
        calls.append(_added(talk, task, best, workload))
    if "record_learning" in talk.tools and not talk.asked("record_learning"):
        calls += _recorded(talk, facts, tried, before)
    return calls


def _added(talk: Conversation, task: Mapping[str, Any], best: Result, workload: str) -> tuple[str, dict[str, Any]]:
    candidates = {str(one.get("name")): one for one in (task.get("plan") or {}).get("candidates") or ()}
    attempts = (task.get("report") or {}).get("attempts") or ()
    name = next((str(one["candidate"]) for one in attempts if one.get("policy") == best.policy), "")
    candidate = candidates.get(name, {})
    parents = [{"name": one, "how": "composed"} for one in candidate.get("primitives") or ()]
    if candidate.get("policy"):
        parents = [{"name": candidate["policy"], "how": "patched", "note": str(candidate.get("why", ""))[:200]}]
    values = {name: value for name, value in best.values.items() if not isinstance(value, str)}
    return talk.call(
        "add_policy",
        name=name or best.policy,
        policy=best.policy,
        tunables=values,
        parents=parents,
        workloads=[workload],
    )


def _recorded(
    talk: Conversation, facts: Facts, tried: Sequence[Result], before: Sequence[Result]
) -> list[tuple[str, dict[str, Any]]]:
    """One lesson of what worked, and one of what did not, where there is something to say."""
    words = ruleset.load("words")["lesson"]
    best = propose.best_of(tried)
    worst = min((one for one in tried if one.ok), key=lambda one: one.reward, default=None)
    classes = [ruleset.load("profile")["classes"][facts.goal]]
    calls = []
    known_best = max((one.reward for one in before if one.ok), default=0.0)
    if best and best.reward > max(GAIN, known_best + GAIN) and not best.policy.startswith(planning.DRAFT):
        calls.append(
            talk.call(
                "record_learning",
                title=filled(words["worked_title"], facts, best)[:120],
                text=filled(words["worked"], facts, best),
                policy=best.policy,
                worked=True,
                workload_classes=classes,
            )
        )
    if worst and best and worst.policy != best.policy and worst.reward < -GAIN:
        policy = None if worst.policy.startswith(planning.DRAFT) else worst.policy
        calls.append(
            talk.call(
                "record_learning",
                title=filled(words["failed_title"], facts, worst)[:120],
                text=filled(words["failed"], facts, worst),
                policy=policy,
                worked=False,
                workload_classes=classes,
            )
        )
    return calls


def _lessons(
    task: Mapping[str, Any], facts: Facts, tried: Sequence[Result], before: Sequence[Result]
) -> dict[str, Any]:
    words = ruleset.load("words")["lesson"]
    ranked = sorted([*tried, *before], key=lambda one: -one.reward)
    lessons = []
    for result in _one_each(ranked):
        worked = result.ok and result.reward > GAIN
        text = "worked" if worked else "failed" if result.ok else "broken"
        lessons.append({"text": filled(words[text], facts, result), "worked": worked, "policy": result.policy})
    lessons = [*lessons[: LESSONS - 2], *_refused(task)[-2:]]
    go_on, why = _outlook(facts, tried, before)
    best = propose.best_of(ranked)
    following = words["next"].replace("$policy", best.policy) if best else words["next_first"]
    return {"lessons": lessons, "next": following if go_on else "", "go_on": go_on, "why": why}


def _refused(task: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Candidates that could not be measured, those of earlier lessons first."""
    words = ruleset.load("words")["lesson"]
    before = [dict(one) for one in (task.get("lessons") or {}).get("lessons") or () if "was refused" in one["text"]]
    attempts = (task.get("report") or {}).get("attempts") or ()
    now = [
        {
            "text": ruleset.fill(words["refused"], Facts(), name=one["candidate"], note=one.get("note", "")),
            "worked": False,
        }
        for one in attempts
        if one.get("result") == "refused"
    ]
    return before + now


def _outlook(facts: Facts, tried: Sequence[Result], before: Sequence[Result]) -> tuple[bool, str]:
    """Whether more is to be gained, and why."""
    words = ruleset.load("words")["outlook"]
    best = propose.best_of([*tried, *before])
    if best is None:
        return True, words["nothing_yet"]
    possible = facts.figures.get("above_best_percent")
    if possible and best.reward >= -math.log(1 - possible / 100) - SATURATED:
        return False, words["reached"]
    now, then = propose.best_of(tried), propose.best_of(before)
    gained = (now.reward if now else -1.0) - (then.reward if then else -1.0)
    if then and gained < SATURATED and len(tried) + len(before) >= ENOUGH_RESULTS:
        return False, words["saturated"].replace("$results", str(len(tried) + len(before)))
    return True, words["open"]


def filled(text: str, facts: Facts, result: Result) -> str:
    """A sentence about a result."""
    diagnosis = ruleset.holding(facts)[0]
    values = ", ".join(f"{name} {value}" for name, value in sorted(result.values.items()) if not isinstance(value, str))
    return ruleset.fill(
        text,
        facts,
        policy=result.policy,
        times=f"{math.exp(result.reward):.2f}",
        settings=f" with {values}" if values else "",
        mechanism=ruleset.fill(diagnosis["better"], ruleset.nameless(facts)),
    )


def _one_each(ranked: Sequence[Result]) -> list[Result]:
    """The best result of each policy."""
    found: dict[str, Result] = {}
    for result in ranked:
        found.setdefault(result.policy, result)
    return list(found.values())
