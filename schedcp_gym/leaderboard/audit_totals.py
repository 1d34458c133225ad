"""Check a run's totals: budget, ledger, summary and best policy."""

import json
import math
from collections.abc import Iterator
from typing import Any

from schedcp_gym.envs.base import HELD_OUT_SEEDS
from schedcp_gym.leaderboard.audit_order import pairs_of
from schedcp_gym.leaderboard.flaw import Flaw, FlawKind
from schedcp_gym.llm import CallOutcome
from schedcp_gym.llm.transcript import attempts_of
from schedcp_gym.run.costs import read_costs
from schedcp_gym.run.course import INTERRUPTED, course_of
from schedcp_gym.run.folder import BEST, LEDGER, SUMMARY, TOOLS, RunFolder
from schedcp_gym.run.model import cost_of, shown_as
from schedcp_gym.run.settings import LLM_LIMITS
from schedcp_gym.run.summary import best_fields, best_of

#: Keys of best.json that identify the chosen policy; the others are figures.
_CHOICE = ("policy", "tunables", "source_sha256", "source", "verified", "workload_seed")
#: Sums whose last digits can differ, because the run added the values in another order.
_NEARLY = ("virtual_s",)


def audit_totals(run: RunFolder) -> Iterator[Flaw]:
    """Check budget, tools, ledger, summary and best policy of a run."""
    yield from _budget(run)
    yield from _tools(run)
    if run.settings.llm.replay is None:  # otherwise the answers are in another run's transcript
        yield from audit_ledger(run)
    yield from _summary(run)
    yield from _best(run)


def _budget(run: RunFolder) -> Iterator[Flaw]:
    budget = run.settings.budget
    evaluations, virtual_s, baselines = 0, 0.0, set()
    for name, entry in run.trials:
        if entry["kind"] == "heldout":
            continue
        if budget.virtual_s is not None and virtual_s >= budget.virtual_s:
            yield Flaw(FlawKind.BUDGET, name, f"budget.virtual_s={budget.virtual_s:g} was used up before it")
        trial, job_s = entry["measurement"]["trial"], entry["measurement"]["job_s"] or 0.0
        if entry["kind"] == "baseline":
            virtual_s += 0.0 if trial in baselines else job_s
            baselines.add(trial)
            continue
        evaluations += 1
        virtual_s += job_s
        if budget.evaluations is not None and evaluations > budget.evaluations:
            yield Flaw(FlawKind.BUDGET, name, f"budget.evaluations={budget.evaluations} was used up before it")
    cost = cost_of(run.calls)
    for limit, key in LLM_LIMITS.items():
        allowed, used = getattr(budget, key), getattr(cost.total, limit) if cost else 0
        if allowed is not None and used > allowed:
            yield Flaw(FlawKind.BUDGET, run.file(LEDGER), f"{used:g} used, budget.{key}={allowed:g}")


def _tools(run: RunFolder) -> Iterator[Flaw]:
    for number, call in enumerate(run.tools, 1):
        seed = call["data"].get("workload_seed")
        if isinstance(seed, int) and seed >= HELD_OUT_SEEDS:
            name = f"{run.file(TOOLS)} line {number}"
            yield Flaw(FlawKind.HELDOUT, name, f"a tool showed the held-out seed {seed} to the agent")


def audit_ledger(run: RunFolder) -> Iterator[Flaw]:
    """Check that ledger and transcript agree about each call, if there is a transcript."""
    if run.transcript is None:
        return
    name = run.file(LEDGER)
    answered = {entry.call: entry for entry in attempts_of(run.transcript)}
    ledger = {entry.call: entry for entry in run.calls}
    for call in sorted(answered.keys() | ledger.keys()):
        if call not in ledger:
            yield Flaw(FlawKind.COST, name, f"lacks call {call} of the transcript")
        elif call not in answered:
            # An interrupted call has no answer. The ledger has the most that it can have cost.
            if ledger[call].outcome is not CallOutcome.INTERRUPTED:
                yield Flaw(FlawKind.COST, name, f"call {call} is not in the transcript")
        elif answered[call] != ledger[call]:
            yield Flaw(FlawKind.COST, name, f"call {call} differs from the transcript")


def _summary(run: RunFolder) -> Iterator[Flaw]:
    claimed = run.summary or {}
    ended_by = str(claimed.get("ended_by"))
    if ended_by == INTERRUPTED:
        yield Flaw(
            FlawKind.MISSING, run.file(SUMMARY), "the run has not ended: the command that started it continues it"
        )
        return
    costs, settings = read_costs(run), run.settings
    course = course_of(run.record, costs.guest_s, ended_by, cost_of(run.calls))
    head = {"agent": run.agent, "workload": run.workload.name, "scale": settings.scale.value, "seed": settings.seed}
    for key in _differing(claimed, {"model": claimed.get("model"), **head, **course.as_plain()}):
        kind = FlawKind.COST if key.startswith("cost") else FlawKind.AGENT if key == "agent" else FlawKind.NUMBER
        yield Flaw(kind, run.file(SUMMARY), f"{key} does not follow from the record")
    if claimed.get("model") not in (None, shown_as(settings.llm.model)):
        yield Flaw(FlawKind.AGENT, run.file(SUMMARY), f"model is {claimed['model']}, the configuration names another")
    spent = f"evaluations={settings.budget.evaluations}"
    if ended_by.startswith("the budget: evaluations=") and (
        spent not in ended_by or course.evaluations != settings.budget.evaluations
    ):
        why = f"ended by {ended_by}, but there are {course.evaluations} of {spent}"
        yield Flaw(FlawKind.BUDGET, run.file(SUMMARY), why)


def _best(run: RunFolder) -> Iterator[Flaw]:
    best = best_of(run.record)
    claimed = run.best
    if best is None or claimed is None:
        if best is not None or claimed is not None:
            reason = "a policy ran to its end, but no best policy is named" if best else "no policy ran to its end"
            yield Flaw(FlawKind.MISSING if best else FlawKind.CHOSEN, run.file(BEST), reason)
        return
    expected = best_fields(best, run.settings.seed, pairs_of(run), run.settings.heldout.confidence)
    for key in _differing(claimed, json.loads(json.dumps(expected))):
        kind = FlawKind.CHOSEN if key.split(".")[0] in _CHOICE else FlawKind.NUMBER
        yield Flaw(kind, run.file(BEST), f"{key} does not follow from the record")


def _differing(claimed: Any, expected: Any, prefix: str = "") -> list[str]:
    """Return the keys whose values differ; keys of inner objects are joined with dots."""
    if not isinstance(claimed, dict) or not isinstance(expected, dict):
        same = claimed == expected
        if prefix.split(".")[-1] in _NEARLY and isinstance(claimed, float) and isinstance(expected, float):
            same = math.isclose(claimed, expected, rel_tol=1e-9)
        return [] if same else [prefix]
    return [
        key
        for name in sorted(claimed.keys() | expected.keys())
        for key in _differing(claimed.get(name), expected.get(name), f"{prefix}.{name}" if prefix else name)
    ]
