"""Execution: measures what a plan configures, writes what it wants written, mends it, and deploys the best."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schedcp_gym.llm.providers._offline import profile, repair, results, ruleset, write
from schedcp_gym.llm.providers._offline.conversation import Call, Conversation
from schedcp_gym.llm.providers._offline.library import policies
from schedcp_gym.llm.providers._offline.propose import Result

#: Better by less than this is not worth a verification.
LEAST_GAIN = 0.02
Calls = list[tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class Draft:
    """What became of a candidate that has to be written.

    Attributes:
        policy: The id it goes by; empty until it has passed.
        gave_up: It can't be mended, or too often.
        repairs: How often it was changed.
        source: As it was last submitted.
        fault: What the last report said.
        calls: What has to be called next; empty when nothing.
    """

    policy: str = ""
    gave_up: bool = False
    repairs: int = 0
    source: str = ""
    fault: str = ""
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()


def turn(talk: Conversation) -> Any:
    """The next calls, or the report."""
    task = _task(talk)
    workload = profile.workload_of(talk)
    candidates = [one for one in (task.get("plan") or {}).get("candidates") or () if isinstance(one, Mapping)]
    if calls := _measure_configured(talk, workload, candidates):
        return calls
    drafts: dict[str, Draft] = {}
    left = [call for call in talk.asked("submit_policy") if call.arguments.get("stages") != "full"]
    for candidate in candidates:
        if candidate.get("way") != "configure":
            draft, left = _draft(talk, candidate, left, int((task.get("left") or {}).get("repairs") or 0))
            drafts[str(candidate.get("name"))] = draft
            if calls := list(draft.calls) or _measure_draft(talk, workload, candidate, draft):
                return calls
    if calls := _deploy(talk, workload, task):
        return calls
    return _report(talk, candidates, drafts)


def _task(talk: Conversation) -> Mapping[str, Any]:
    for block in reversed(talk.blocks):
        for value in (block, *block.values()):
            if isinstance(value, Mapping) and "plan" in value and "left" in value:
                return value
    return {}


def _measure_configured(talk: Conversation, workload: str, candidates: Sequence[Mapping[str, Any]]) -> Calls:
    calls: Calls = []
    if "measure_policy" not in talk.tools:
        return calls
    for candidate in candidates:
        policy, values = str(candidate.get("policy") or ""), dict(candidate.get("tunables") or {})
        is_asked = results.is_measured(policy, values, talk.calls)
        call = talk.call("measure_policy", workload=workload, policy=policy, tunables=values)
        if candidate.get("way") == "configure" and policy and not is_asked and call not in calls:
            calls.append(call)
    return calls


def _measure_draft(talk: Conversation, workload: str, candidate: Mapping[str, Any], draft: Draft) -> Calls:
    values = dict(candidate.get("tunables") or {})
    policy = draft.policy
    if not policy or "measure_policy" not in talk.tools or results.is_measured(policy, values, talk.calls):
        return []
    return [talk.call("measure_policy", workload=workload, policy=policy, tunables=values)]


def _draft(
    talk: Conversation, candidate: Mapping[str, Any], submitted: list[Call], repairs: int
) -> tuple[Draft, list[Call]]:
    """How far a candidate is, by the submissions made so far in the order of the candidates; and those that remain."""
    source, edits, calls = _first_version(talk, candidate)
    if calls:
        return Draft(calls=tuple(calls)), submitted
    if not source and not edits:
        return Draft(gave_up=True, fault="its source has no place for the change"), submitted
    if "submit_policy" not in talk.tools:
        return Draft(gave_up=True, source=source, fault="there is no tool to submit it"), submitted
    for count in range(repairs + 1):
        if not submitted:
            call = talk.call("submit_policy", source=source or None, stages="quick")
            if edits and "edits" in talk.tools["submit_policy"] and not count:
                call = talk.call("submit_policy", policy=candidate.get("policy"), edits=edits, stages="quick")
            return Draft(source=source, repairs=count, calls=(call,)), submitted
        said, submitted = results.verdict(submitted[0]), submitted[1:]
        if said.passed:
            return Draft(policy=said.policy, source=source, repairs=count), submitted
        mended = repair.mend(source, said.text)
        if mended == source or count == repairs:
            return Draft(gave_up=True, source=source, repairs=count, fault=_fault(said.text)), submitted
        source = mended
    raise AssertionError("the last round returns")


def _first_version(talk: Conversation, candidate: Mapping[str, Any]) -> tuple[str, list[dict[str, str]], Calls]:
    """The source as it is submitted first, the changes it is made by, or what has to be read before."""
    words = " ".join(str(candidate.get(key) or "") for key in ("name", "change"))
    if candidate.get("way") == "patch":
        base = str(candidate.get("policy") or "")
        read = next((one for one in policies(talk.of("get_policy")) if one.name == base and one.source), None)
        if read is None:
            asked = {str(call.arguments.get("policy")) for call in talk.asked("get_policy")}
            can_ask = "get_policy" in talk.tools and base not in asked
            return "", [], [talk.call("get_policy", policy=base)] if can_ask else []
        patch = write.patch_for(words)
        edits = write.edits(patch, read.source) if patch else []
        return write.apply(edits, read.source) if edits else "", edits, []
    wanted = [str(name) for name in candidate.get("primitives") or ()]
    read_names = {call.arguments.get("name") for call in talk.asked("get_primitive")}
    if missing := [name for name in wanted if name not in read_names and "get_primitive" in talk.tools]:
        return "", [], [talk.call("get_primitive", name=name) for name in missing]
    facts = profile.facts_of(talk)
    return write.compose(write.template_for(words), facts, str(candidate.get("name") or "")), [], []


def _deploy(talk: Conversation, workload: str, task: Mapping[str, Any]) -> Calls:
    """The next step of deploying the best: verification, deployment, or nothing."""
    if "deploy_policy" not in talk.tools or "submit_policy" not in talk.tools or talk.asked("deploy_policy"):
        return []
    done = [call for call in talk.asked("submit_policy") if call.arguments.get("stages") == "full"]
    refused = set()
    for call in done:
        said = results.verdict(call)
        policy, values = str(call.arguments.get("policy")), dict(call.arguments.get("tunables") or {})
        if said.passed and said.token:
            return [talk.call("deploy_policy", workload=workload, token=said.token, policy=policy, tunables=values)]
        refused.add((policy, str(sorted(values.items()))))
    left = task.get("left") or {}
    allowed = int(left.get("full_verifications") or 0)
    if int(left.get("rounds") or 1) > 1:
        allowed -= 1  # one for the last round
    if len(done) >= allowed:
        return []
    for result in _deployable(talk, task):
        if (result.policy, str(sorted(result.values.items()))) not in refused:
            return [talk.call("submit_policy", policy=result.policy, tunables=dict(result.values), stages="full")]
    return []


def _deployable(talk: Conversation, task: Mapping[str, Any]) -> list[Result]:
    """What is better than what is deployed, the best first."""
    from schedcp_gym.llm.providers._offline.planning import results_of

    deployed = results_of([task["deployed"]]) if isinstance(task.get("deployed"), Mapping) else []
    least = (deployed[0].reward if deployed else 0.0) + LEAST_GAIN
    found = [*results.measured(talk.calls), *results_of(task.get("unverified") or ())]
    return sorted((one for one in found if one.ok and one.reward >= least), key=lambda one: -one.reward)


def _report(talk: Conversation, candidates: Sequence[Mapping[str, Any]], drafts: Mapping[str, Draft]) -> dict[str, Any]:
    words = ruleset.load("words")["report"]
    attempts, by_policy = [], {}
    for candidate in candidates:
        name, values = str(candidate.get("name")), dict(candidate.get("tunables") or {})
        draft = drafts.get(name)
        policy = draft.policy if draft else str(candidate.get("policy") or "")
        attempt: dict[str, Any] = {"candidate": name, "policy": policy, "result": "not_tried"}
        call = _measure_call(policy, values, talk.calls) if policy else None
        if call is not None:
            attempt["result"] = "refused" if call.failed else "measured"
            attempt["note"] = call.text.splitlines()[0][:200] if call.failed else ""
            by_policy[policy, str(sorted(values.items()))] = name
        if draft and draft.gave_up:
            attempt |= {"result": "refused", "note": draft.fault}
        elif draft and draft.repairs:
            attempt["note"] = words["repaired"].replace("$times", str(draft.repairs))
        attempts.append(attempt)
    return {"attempts": attempts, "deployed": _deployed(talk, by_policy), "remarks": _remarks(talk, attempts)}


def _deployed(talk: Conversation, by_policy: Mapping[tuple[str, str], str]) -> str:
    for call in talk.asked("deploy_policy"):
        if results.was_kept(call):
            policy = str(call.arguments.get("policy"))
            values = str(sorted(dict(call.arguments.get("tunables") or {}).items()))
            return by_policy.get((policy, values), policy)
    return ""


def _remarks(talk: Conversation, attempts: Sequence[Mapping[str, Any]]) -> str:
    words = ruleset.load("words")["report"]
    refused = [words["refused"].replace("$name", one["candidate"]) for one in attempts if one["result"] == "refused"]
    best = max(results.measured(talk.calls), key=lambda one: one.reward, default=None)
    if best is None:
        return " ".join([words["nothing"], *refused])
    said = words["best"].replace("$policy", best.policy).replace("$times", f"{math.exp(best.reward):.2f}")
    failed = [
        results.verdict(call)
        for call in talk.asked("submit_policy")
        if call.arguments.get("stages") == "full" and not results.verdict(call).passed
    ]
    return " ".join([said, *refused, *(words["unsafe"].replace("$stage", one.caught_at) for one in failed[:1])])


def _measure_call(policy: str, values: Mapping[str, Any], calls: Sequence[Call]) -> Call | None:
    return next((call for call in calls if results.is_measured(policy, values, [call])), None)


def _fault(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if "FAILED" in line or "error" in line.lower()]
    return " ".join(lines[:2])[:300] or text[:200]
