"""What a run says of itself as a whole: its budget, its summary, its best policy, its costs."""

import json
import math
from collections.abc import Iterator
from typing import Any

from schedcp_gym.envs.base import HELD_OUT_SEEDS
from schedcp_gym.leaderboard.audit_order import pairs_of
from schedcp_gym.leaderboard.refusal import Kind, Refusal
from schedcp_gym.llm import CallOutcome
from schedcp_gym.llm.transcript import attempts_of
from schedcp_gym.run.costs import read_costs
from schedcp_gym.run.course import INTERRUPTED, course_of
from schedcp_gym.run.folder import BEST, LEDGER, SUMMARY, TOOLS, RunFolder
from schedcp_gym.run.model import cost_of, shown_as
from schedcp_gym.run.settings import LLM_LIMITS
from schedcp_gym.run.summary import best_fields, best_of

#: Keys of best.json that say which policy was chosen; the rest are figures.
_CHOICE = ("policy", "tunables", "source_sha256", "source", "verified", "workload_seed")
#: Sums that are added up in another order than when the run made them.
_NEARLY = ("virtual_s",)


def audit_totals(run: RunFolder) -> Iterator[Refusal]:
    """Budget, tools, summary and best policy of a run."""
    yield from _budget(run)
    yield from _tools(run)
    if run.settings.llm.replay is None:  # else the answers are in another run's transcript
        yield from audit_ledger(run)
    yield from _summary(run)
    yield from _best(run)


def _budget(run: RunFolder) -> Iterator[Refusal]:
    budget = run.settings.budget
    evaluations, virtual_s, baselines = 0, 0.0, set()
    for name, entry in run.trials:
        if entry["kind"] == "heldout":
            continue
        if budget.virtual_s is not None and virtual_s >= budget.virtual_s:
            yield Refusal(Kind.BUDGET, name, f"budget.virtual_s={budget.virtual_s:g} was spent before it")
        trial, job_s = entry["measurement"]["trial"], entry["measurement"]["job_s"] or 0.0
        if entry["kind"] == "baseline":
            virtual_s += 0.0 if trial in baselines else job_s
            baselines.add(trial)
            continue
        evaluations += 1
        virtual_s += job_s
        if budget.evaluations is not None and evaluations > budget.evaluations:
            yield Refusal(Kind.BUDGET, name, f"budget.evaluations={budget.evaluations} was spent before it")
    cost = cost_of(run.calls)
    for limit, key in LLM_LIMITS.items():
        allowed, used = getattr(budget, key), getattr(cost.total, limit) if cost else 0
        if allowed is not None and used > allowed:
            yield Refusal(Kind.BUDGET, run.file(LEDGER), f"{used:g} used, budget.{key}={allowed:g}")


def _tools(run: RunFolder) -> Iterator[Refusal]:
    for number, call in enumerate(run.tools, 1):
        seed = call["data"].get("workload_seed")
        if isinstance(seed, int) and seed >= HELD_OUT_SEEDS:
            name = f"{run.file(TOOLS)} line {number}"
            yield Refusal(Kind.HELDOUT, name, f"a tool has shown the agent the held-out seed {seed}")


def audit_ledger(run: RunFolder) -> Iterator[Refusal]:
    """Check that the ledger says of each call what the transcript says, where there is one."""
    if run.transcript is None:
        return
    name = run.file(LEDGER)
    said = {entry.call: entry for entry in attempts_of(run.transcript)}
    ledger = {entry.call: entry for entry in run.calls}
    for call in sorted(said.keys() | ledger.keys()):
        if call not in ledger:
            yield Refusal(Kind.COST, name, f"lacks call {call} of the transcript")
        elif call not in said:
            # A call that was cut off has no answer, and is charged at the most it can have used.
            if ledger[call].outcome is not CallOutcome.INTERRUPTED:
                yield Refusal(Kind.COST, name, f"call {call} is not in the transcript")
        elif said[call] != ledger[call]:
            yield Refusal(Kind.COST, name, f"call {call} is another than in the transcript")


def _summary(run: RunFolder) -> Iterator[Refusal]:
    told = run.summary or {}
    ended_by = str(told.get("ended_by"))
    if ended_by == INTERRUPTED:
        yield Refusal(Kind.MISSING, run.file(SUMMARY), "the run has not ended: the command that began it goes on")
        return
    costs, settings = read_costs(run), run.settings
    course = course_of(run.record, costs.guest_s, ended_by, cost_of(run.calls))
    head = {
        "agent": run.agent,
        "workload": run.workload.name,
        "scale": settings.scale.value,
        "seed": settings.seed,
    }
    for key in _differing(told, {"model": told.get("model"), **head, **course.plain()}):
        kind = Kind.COST if key.startswith("cost") else Kind.AGENT if key == "agent" else Kind.NUMBER
        yield Refusal(kind, run.file(SUMMARY), f"{key} does not follow from the record")
    if told.get("model") not in (None, shown_as(settings.llm.model)):
        yield Refusal(Kind.AGENT, run.file(SUMMARY), f"model is {told['model']}, the configuration has another")
    spent = f"evaluations={settings.budget.evaluations}"
    if ended_by.startswith("the budget: evaluations=") and (
        spent not in ended_by or course.evaluations != settings.budget.evaluations
    ):
        why = f"ended by {ended_by}, but there are {course.evaluations} of {spent}"
        yield Refusal(Kind.BUDGET, run.file(SUMMARY), why)


def _best(run: RunFolder) -> Iterator[Refusal]:
    best = best_of(run.record)
    told = run.best
    if best is None or told is None:
        if best is not None or told is not None:
            reason = "a policy ran to its end, but none is named as the best" if best else "no policy ran to its end"
            yield Refusal(Kind.MISSING if best else Kind.CHOSEN, run.file(BEST), reason)
        return
    expected = best_fields(best, run.settings.seed, pairs_of(run), run.settings.heldout.confidence)
    for key in _differing(told, json.loads(json.dumps(expected))):
        kind = Kind.CHOSEN if key.split(".")[0] in _CHOICE else Kind.NUMBER
        yield Refusal(kind, run.file(BEST), f"{key} does not follow from the record")


def _differing(told: Any, expected: Any, prefix: str = "") -> list[str]:
    """Keys whose values differ, with dots between those of inner objects."""
    if not isinstance(told, dict) or not isinstance(expected, dict):
        same = told == expected
        if prefix.split(".")[-1] in _NEARLY and isinstance(told, float) and isinstance(expected, float):
            same = math.isclose(told, expected, rel_tol=1e-9)
        return [] if same else [prefix]
    return [
        key
        for name in sorted(told.keys() | expected.keys())
        for key in _differing(told.get(name), expected.get(name), f"{prefix}.{name}" if prefix else name)
    ]
