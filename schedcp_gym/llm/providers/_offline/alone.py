"""One context with all tools: looks, searches, measures, goes on from the best, keeps a lesson, and tells the end."""

import math
import re
from collections.abc import Sequence
from typing import Any

from schedcp_gym.llm.providers._offline import (
    execution,
    learning,
    observation,
    planning,
    profile,
    propose,
    results,
    ruleset,
    write,
    writing,
)
from schedcp_gym.llm.providers._offline.conversation import Conversation
from schedcp_gym.llm.providers._offline.library import Known, policies
from schedcp_gym.llm.providers._offline.propose import Proposal, Result

#: Ideas that are measured before the best is gone on with, and how many are measured in one reply.
IDEAS, AT_ONCE = 3, 2
#: Evaluations, where the task does not say how many there are.
EVALUATIONS = 12
Calls = list[tuple[str, dict[str, Any]]]


def turn(talk: Conversation) -> Calls | str:
    """The next calls, or what came of it all, in words."""
    workload = profile.workload_of(talk)
    facts = profile.facts_of(talk)
    if not talk.tools:
        return _told(talk) if talk.all_calls else writing.text(talk)
    if calls := observation.looks(talk):
        return calls
    known = policies(talk.of("search_repository", "get_policy"))
    if "search_repository" in talk.tools and not talk.asked("search_repository"):
        return [talk.call("search_repository", query=query) for query in propose.queries(facts)]
    found = results.measured(talk.all_calls)
    if "get_policy" in talk.tools and (unread := propose.worth_reading(facts, known, IDEAS)) and not found:
        asked = {call.arguments.get("policy") for call in talk.asked("get_policy")}
        if calls := [talk.call("get_policy", policy=name) for name in unread if name not in asked]:
            return calls
    if calls := _measure(talk, workload, known, found):
        return calls
    return _finish(talk, workload, found) or _told(talk)


def _measure(talk: Conversation, workload: str, known: Sequence[Known], found: Sequence[Result]) -> Calls:
    facts = profile.facts_of(talk)
    asked = talk.asked("measure_policy")
    left = _left(talk, len(asked))
    if "measure_policy" not in talk.tools or left <= 0 or (asked and asked[-1].failed and _is_spent(asked[-1].text)):
        return []
    wanted = min(left, IDEAS if not found else AT_ONCE)
    chosen = [one for one in planning.choose(facts, known, found, wanted) if one.way == "configure"]
    calls = [
        talk.call("measure_policy", workload=workload, policy=one.policy, tunables=dict(one.values))
        for one in chosen
        if not results.is_measured(one.policy, one.values, talk.all_calls)
    ]
    return calls or ([] if found else _measure_written(talk, workload))


def _measure_written(talk: Conversation, workload: str) -> Calls:
    """Without a repository's policies: one that is written, submitted first where that can be done."""
    facts = profile.facts_of(talk)
    ideas: list[Proposal] = propose.written(facts)
    number = len(talk.asked("submit_policy"))
    passed = [said for said in map(results.verdict, talk.asked("submit_policy")) if said.passed]
    for said in passed:
        if not results.is_measured(said.policy, {}, talk.all_calls):
            return [talk.call("measure_policy", workload=workload, policy=said.policy, tunables={})]
    if number >= len(ideas):
        return []
    source = write.compose(ideas[number].writes, facts)
    if "submit_policy" in talk.tools:
        return [talk.call("submit_policy", source=source, stages="quick")]
    return [talk.call("measure_policy", workload=workload, source=source, tunables={})]


def _finish(talk: Conversation, workload: str, found: Sequence[Result]) -> Calls:
    """Verifies and deploys the best, and keeps what was learned."""
    best = propose.best_of(found)
    if best is None or best.reward < execution.LEAST_GAIN:
        return []
    full = [call for call in talk.asked("submit_policy") if call.arguments.get("stages") == "full"]
    values = dict(best.values)
    if "submit_policy" in talk.tools and not full:
        return [talk.call("submit_policy", policy=best.policy, tunables=values, stages="full")]
    said = results.verdict(full[-1]) if full else None
    if said and said.token and "deploy_policy" in talk.tools and not talk.asked("deploy_policy"):
        return [talk.call("deploy_policy", workload=workload, token=said.token, policy=best.policy, tunables=values)]
    is_named = not best.policy.startswith(planning.DRAFT) and "\n" not in best.policy
    if "record_learning" in talk.tools and not talk.asked("record_learning") and is_named:
        words = ruleset.load("words")["lesson"]
        facts = profile.facts_of(talk)
        title, text = learning.filled(words["worked_title"], facts, best), learning.filled(words["worked"], facts, best)
        classes = [ruleset.load("profile")["classes"][facts.goal]]
        return [
            talk.call(
                "record_learning",
                title=title[:120],
                text=text,
                policy=best.policy,
                worked=True,
                workload_classes=classes,
            )
        ]
    return []


def _told(talk: Conversation) -> str:
    words = ruleset.load("words")["alone"]
    facts = profile.facts_of(talk)
    best = propose.best_of(results.measured(talk.all_calls))
    says = ruleset.fill(ruleset.holding(facts)[0]["says"], facts)
    if best is None:
        return f"{says} {words['nothing']}"
    name = best.policy if "\n" not in best.policy else words["own"]
    end = ruleset.fill(words["best"], facts, policy=name, times=f"{math.exp(best.reward):.2f}")
    return f"{says} {end}"


def _left(talk: Conversation, used: int) -> int:
    """Evaluations that are left, as far as it was told."""
    budget = talk.block("budget")
    total = budget.get("evaluations_left")
    return (int(total) if isinstance(total, (int, float)) else EVALUATIONS) - used


def _is_spent(text: str) -> bool:
    return bool(re.search(r"spent|budget|no evaluations", text, re.IGNORECASE))
