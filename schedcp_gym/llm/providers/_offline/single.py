"""The rules of an agent with all tools in one conversation, and sentences that the other roles use too."""

import math
from typing import Any

from schedcp_gym.llm.providers._offline import choice, facts
from schedcp_gym.llm.providers._offline.choice import Result
from schedcp_gym.llm.providers._offline.conversation import Calls, Conversation, Turn
from schedcp_gym.llm.providers._offline.facts import WorkloadFacts, diagnoses, filled

#: Policies that are tried at first, and measurements in one answer after that.
IDEAS, AT_ONCE = 3, 2
#: Evaluations, where there is no limit.
EVALUATIONS = 12
LEAST_GAIN = 0.02


def turn(talk: Conversation) -> Turn:
    """Describe and analyse the workload, search, measure, continue from the best, deploy it, and record a lesson."""
    workload = talk.value("task")["workload"]
    if missing := talk.missing("describe_workload", "analyze_workload"):
        return [(name, {"workload": workload}) for name in missing]
    described, analysed = talk.of("describe_workload"), talk.of("analyze_workload")
    known = WorkloadFacts(described[-1].data["class"] if described else "mixed")
    if analysed:
        known = facts.of_analysis(analysed[-1].data["data"], known.workload_class)
    results = choice.measured(talk.of("measure_policy"))
    calls = choice.searches(talk, known) or _read(talk) or _measure(talk, workload, known, results)
    return calls or _finish(talk, workload, known, results)


def lesson(best: Result, known: WorkloadFacts) -> tuple[str, dict[str, Any]]:
    """Return the call that records what worked; process names are left out, for they change with the seed."""
    nameless = WorkloadFacts(known.workload_class, known.figures, "the long job")
    text = f"{told(best)} {filled(diagnoses(known)[0]['better'], nameless)}"
    title = f"{best.policy} gains {math.exp(best.reward):.2f}x"
    what = {"policy": best.policy, "worked": True, "workload_classes": [known.workload_class]}
    return "record_learning", {"title": title, "text": text, **what}


def told(result: Result) -> str:
    """Return a sentence about a result, without names of processes."""
    values = ", ".join(f"{name}={value}" for name, value in result.values.items() if not isinstance(value, str))
    reached = f"reached {math.exp(result.reward):.2f}x EEVDF" if result.ok else "failed"
    return f"{result.policy}{f' ({values})' if values else ''} {reached}."


def _read(talk: Conversation) -> Calls:
    names = choice.found(talk)[:IDEAS] if talk.missing("get_policy") else []
    return [("get_policy", {"policy": name}) for name in names]


def _measure(talk: Conversation, workload: str, known: WorkloadFacts, results: list[Result]) -> Calls:
    if "measure_policy" not in talk.tools:
        return []
    asked = talk.asked("measure_policy")
    left = talk.value("budget").get("evaluations_left", EVALUATIONS) - len(asked)
    if asked and asked[-1].data.get("evaluations_left") is not None:
        left = asked[-1].data["evaluations_left"]
    best = choice.best_of(results)
    proposals = choice.fresh(talk, known, [one.policy for one in results])[:IDEAS]
    if best and len(asked) >= IDEAS:
        proposals = list(choice.steps(best, choice.known(talk).get(best.policy, ()), results))[:AT_ONCE]
    wanted = [one for one in proposals if not choice.is_asked(one.policy, one.values, talk.calls)]
    return [choice.measure(workload, one) for one in wanted[: max(0, int(left))]]


def _finish(talk: Conversation, workload: str, known: WorkloadFacts, results: list[Result]) -> Turn:
    best = choice.best_of(results)
    if best is None or best.reward < LEAST_GAIN:
        return "Nothing was better than EEVDF."
    what = {"policy": best.policy, "tunables": dict(best.values)}
    if talk.missing("submit_policy"):
        return [("submit_policy", {**what, "stages": "full"})]
    token = next((call.data["token"] for call in talk.of("submit_policy") if call.data.get("token")), "")
    if token and talk.missing("deploy_policy"):
        return [("deploy_policy", {"workload": workload, "token": token, **what})]
    return [lesson(best, known)] if talk.missing("record_learning") else f"The best: {told(best)}"
