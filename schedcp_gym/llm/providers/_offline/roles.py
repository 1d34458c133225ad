"""The rules of each role: sched_agent's four here; those that work alone in ``single`` and ``writing``."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from schedcp_gym.llm.providers._offline import choice, facts, single, writing
from schedcp_gym.llm.providers._offline.choice import Proposal, Result
from schedcp_gym.llm.providers._offline.conversation import Calls, Conversation, PastCall, Turn
from schedcp_gym.llm.providers._offline.facts import diagnoses, filled

#: Gains below this are worth no verification and no lesson.
LEAST_GAIN = 0.02
#: After so many results, a round without a gain of this size ends the search.
ENOUGH, SATURATED = 12, 0.01
#: Limit of lessons that are handed on.
LESSONS = 6


def observation(talk: Conversation) -> Turn:
    """Describe and analyse the workload, then write its profile."""
    target = talk.value("ObservationTask")["target"]
    if missing := talk.missing("describe_workload", "analyze_workload"):
        return [(name, {"workload": target["workload"]}) for name in missing]
    described, analysed = talk.of("describe_workload"), talk.of("analyze_workload")
    workload_class = described[-1].data["class"] if described else "mixed"
    groups = analysed[-1].data["data"]["groups"] if analysed else []
    known = facts.of_cpu_seconds(target.get("processes_cpu_s") or {})
    if analysed:
        known = facts.of_analysis(analysed[-1].data["data"], workload_class)
    rules = diagnoses(known)[:2]
    processes: list[dict[str, Any]] = []
    if known.outlier:
        processes.append({"name": known.outlier, "matters": "It has far more CPU time than the others.", "tasks": 1})
    for group in groups[:4]:
        figures = {"tasks": group["tasks"], "cpu_share": group["cpu_share"], "burst_p50_ms": group["burst_p50_ms"]}
        matters = f"It has {100 * group['cpu_share']:.0f} % of the CPU time."
        processes.append({"name": group["name"], "matters": matters, **figures, "wait_p99_ms": group["wait_p99_ms"]})
    return {
        "workload": target["workload"],
        "workload_class": workload_class,
        "summary": " ".join(filled(rule["says"], known) for rule in rules),
        "goals": [filled(rule["better"], known) for rule in rules],
        "processes": processes,
        "figures": dict(known.figures),
    }


def planning(talk: Conversation) -> Turn:
    """Search the repository, read the policies that fit, and choose the candidates."""
    task = talk.value("PlanningTask")
    known, wanted = facts.of_profile(task["profile"]), int(task["left"]["candidates"])
    results = results_of(task.get("history") or ())
    best = choice.best_of(results)
    if calls := choice.searches(talk, known):
        return calls
    tried = [one.policy for one in results]
    if talk.missing("get_policy"):
        again = [best.policy] if best else []  # its tunables are needed for steps
        names = [*again, *(name for name in choice.found(talk) if name not in tried)][: wanted + 1]
        if names:
            return [("get_policy", {"policy": name}) for name in names]
    fresh = choice.fresh(talk, known, tried)
    stepped: list[Proposal] = []
    if best is not None:
        stepped = list(choice.steps(best, choice.known(talk).get(best.policy, ()), results))
    # At first different policies; later steps from the best, and one other policy.
    proposals = [*stepped[: max(1, wanted - 1)], *fresh, *stepped[max(1, wanted - 1) :]][:wanted]
    candidates = [
        {"name": f"{one.policy}-{number}", "way": "configure", "why": one.why}
        | {"policy": one.policy, "tunables": dict(one.values)}
        for number, one in enumerate(proposals, len(results) + 1)
    ]
    if not candidates and not results:
        candidates = [{"name": "lines-1", "way": "compose", "why": "There is no repository.", "change": writing.CHANGE}]
    reasoning = filled(diagnoses(known)[0]["says"], known)
    return {"reasoning": reasoning, "candidates": candidates, "no_gain_expected": not candidates}


def execution(talk: Conversation) -> Turn:
    """Measure the plan's candidates, write those to be composed, then verify and deploy the best."""
    task = talk.value("ExecutionTask")
    workload, candidates = task["target"]["workload"], task["plan"]["candidates"]
    calls: Calls = []
    for one in candidates:
        wanted = Proposal(one.get("policy") or "", one.get("tunables") or {})
        if one["way"] == "configure" and not choice.is_asked(wanted.policy, wanted.values, talk.calls):
            calls.append(choice.measure(workload, wanted))
    if calls:
        return calls
    composed = [one for one in candidates if one["way"] == "compose"]
    quick = [call for call in talk.asked("submit_policy") if call.arguments.get("stages") != "full"]
    if composed and not quick and "submit_policy" in talk.tools:
        return [("submit_policy", {"source": writing.source(), "stages": "quick"})]
    drafts = [call.data["policy"] for call in quick if call.data.get("passed")]
    if drafts and not choice.is_asked(drafts[0], {}, talk.calls):
        return [choice.measure(workload, Proposal(drafts[0]))]
    return _deploy(talk, task) or _report(talk, candidates, drafts)


def learning(talk: Conversation) -> Turn:
    """Ask for feedback on the best policy, record what was learned, and hand lessons on."""
    task = talk.value("LearningTask")
    known, workload = facts.of_profile(task["profile"]), task["target"]["workload"]
    tried, before = results_of(task.get("tried") or ()), results_of(task.get("history") or ())
    best, earlier = choice.best_of(tried), choice.best_of(before)
    gained = best is not None and best.reward > max(LEAST_GAIN, earlier.reward if earlier else 0.0)
    if best and gained:
        what = {"policy": best.policy, "tunables": dict(best.values)}
        if talk.missing("get_feedback"):
            return [("get_feedback", {"workload": workload, **what})]
        if best.policy.startswith("draft-"):
            if talk.missing("add_policy"):
                return [("add_policy", {"name": f"lines-{workload}", **what, "workloads": [workload]})]
        elif talk.missing("record_learning"):
            return [single.lesson(best, known)]
    ranked = sorted([*tried, *before], key=lambda one: -one.reward)
    lessons = [
        {"text": single.told(one), "worked": one.ok and one.reward > LEAST_GAIN, "policy": one.policy}
        for one in {one.policy: one for one in reversed(ranked)}.values()
    ]
    go_on, why = _outlook(task, tried, before)
    return {"lessons": lessons[::-1][:LESSONS], "go_on": go_on, "why": why}


def results_of(history: Sequence[Mapping[str, Any]]) -> list[Result]:
    """Return the results in the program's own record. What failed verification counts as failed."""
    return [
        Result(
            one["policy"],
            one.get("tunables") or {},
            math.log(max(one["improvement"], 0.05)),
            one["outcome"] == "ok" and one.get("verified") != "failed",
        )
        for one in history
    ]


def _deploy(talk: Conversation, task: Mapping[str, Any]) -> Calls:
    """Return the next call towards the deployment of the best policy; empty at the end."""
    if talk.asked("deploy_policy") or not {"deploy_policy", "submit_policy"} <= talk.tools:
        return []
    full = [call for call in talk.asked("submit_policy") if call.arguments.get("stages") == "full"]
    for call in full:
        if token := call.data.get("token"):
            what = {name: call.arguments[name] for name in ("policy", "tunables")}
            return [("deploy_policy", {"workload": task["target"]["workload"], "token": token, **what})]
    left = task["left"]
    if len(full) >= left["full_verifications"] - (left["rounds"] > 1):  # one is kept for the last round
        return []
    refused = [(call.arguments["policy"], call.arguments["tunables"]) for call in full]
    deployed = results_of([task["deployed"]]) if task.get("deployed") else []
    least = (deployed[0].reward if deployed else 0.0) + LEAST_GAIN
    results = [*choice.measured(talk.of("measure_policy")), *results_of(task.get("unverified") or ())]
    rest = [one for one in results if one.reward >= least and (one.policy, dict(one.values)) not in refused]
    best = choice.best_of(rest)
    if best is None:
        return []
    return [("submit_policy", {"policy": best.policy, "tunables": dict(best.values), "stages": "full"})]


def _report(talk: Conversation, candidates: Sequence[Mapping[str, Any]], drafts: Sequence[str]) -> dict[str, Any]:
    attempts, names = [], {}
    for one in candidates:
        policy = one.get("policy") or next(iter(drafts), "")
        values = one.get("tunables") or {}
        asked = [call for call in talk.asked("measure_policy") if choice.is_asked(policy, values, [call])]
        result = "not_tried" if not asked else "refused" if asked[-1].failed else "measured"
        attempts.append({"candidate": one["name"], "result": result, "policy": policy})
        names[policy, str(values)] = one["name"]
    kept = [call for call in talk.of("deploy_policy") if call.data.get("state") == "kept"]
    deployed = [names.get(_key(call), str(call.arguments["policy"])) for call in kept]
    best = choice.best_of(choice.measured(talk.of("measure_policy")))
    return {
        "attempts": attempts,
        "deployed": next(iter(deployed), ""),
        "remarks": single.told(best) if best else "No candidate could be measured.",
    }


def _key(call: PastCall) -> tuple[str, str]:
    return str(call.arguments["policy"]), str(call.arguments.get("tunables") or {})


def _outlook(task: Mapping[str, Any], tried: Sequence[Result], before: Sequence[Result]) -> tuple[bool, str]:
    """Return whether a further gain can be expected, and why."""
    best, earlier = choice.best_of([*tried, *before]), choice.best_of(before)
    goals = task["target"]["goals"]
    possible = goals[0].get("best_possible") if len(goals) == 1 else None
    if best and possible and best.reward >= abs(math.log(goals[0]["eevdf"] / possible)) - SATURATED:
        return False, "The best possible result is reached, within a per cent."
    if best and earlier and best.reward - earlier.reward < SATURATED and len(tried) + len(before) >= ENOUGH:
        return False, "The last round gained less than a per cent."
    return True, "Some steps were not tried."


#: The rules by role. The roles of other agents use the name that the agent asks under.
ROLES: dict[str, Callable[[Conversation], Turn]] = {
    "observation": observation,
    "planning": planning,
    "execution": execution,
    "learning": learning,
    "single": single.turn,
    "naive": writing.first,
    "sampler": writing.sample,
    "mutator": writing.child,
}
