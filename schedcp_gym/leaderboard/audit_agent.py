"""What a run says its agent did: which policy it chose, which model it asked, and what that took."""

from collections.abc import Iterator

import hydra.utils
import yaml
from gymnasium.utils.seeding import np_random

from schedcp_gym.baselines.toolbox import MEASURE
from schedcp_gym.envs.base import draw_workload_seed
from schedcp_gym.leaderboard.refusal import Kind, Refusal
from schedcp_gym.paths import CONFIGS
from schedcp_gym.run.folder import LEDGER, RECORD, SUMMARY, TOOLS, RunFolder

SUBMIT = "submit_policy"


def audit_agent(run: RunFolder) -> Iterator[Refusal]:
    """Seed, choice, model and costs of a run."""
    yield from _seed(run)
    yield from _choice(run)
    yield from _model(run)
    yield from _costs(run)


def _seed(run: RunFolder) -> Iterator[Refusal]:
    """Agents of this checkout begin with the run's seed: else one lucky run could stand for those of all seeds."""
    if run.target not in own_targets():
        return
    seed = run.settings.seed
    expected = draw_workload_seed(np_random(seed)[0])
    found = next((line["workload_seed"] for line in run.baselines), expected)
    if found != expected:
        why = f"its first episode has the workload seed {found}; with the run's seed, {seed}, it is {expected}"
        yield Refusal(Kind.TRIAL, run.file(RECORD), why)


def _choice(run: RunFolder) -> Iterator[Refusal]:
    """An agent may choose another policy than the best of its search, if the verifier has let that pass."""
    chosen = [note["chosen"] for note in run.record if note["kind"] == "note" and note.get("chosen")]
    if not chosen:
        return
    evaluations = run.evaluations
    number = (chosen[-1] or {})["evaluation"]
    if not (isinstance(number, int) and 1 <= number <= len(evaluations)):
        yield Refusal(Kind.CHOSEN, run.file(RECORD), f"it chooses evaluation {number} of {len(evaluations)}")
        return
    policy, tunables = evaluations[number - 1]["policy"], evaluations[number - 1]["tunables"]
    passed = [
        call["data"]
        for call in run.tools
        if call["tool"] == SUBMIT and call["data"].get("passed") and call["data"].get("token")
    ]
    if not any((data.get("policy"), data.get("tunables")) == (policy, tunables) for data in passed):
        why = f"it chooses {policy} as verified, and by {TOOLS} the verifier has let no such policy pass"
        yield Refusal(Kind.CHOSEN, run.file(RECORD), why)


def _model(run: RunFolder) -> Iterator[Refusal]:
    """Of an agent of this checkout it is known whether it asks a model; code of an entry is never loaded."""
    if run.target not in own_targets():
        return
    model = (run.summary or {}).get("model")
    if getattr(hydra.utils.get_class(run.target), "uses_llm", False):
        if model is None:
            yield Refusal(Kind.AGENT, run.file(SUMMARY), f"{run.agent} asks a language model, and none is named")
    elif model is not None or run.calls:
        yield Refusal(Kind.AGENT, run.file(SUMMARY), f"{run.agent} asks no language model, and one is named")


def own_targets() -> set[str]:
    """Classes of this checkout's agents."""
    configs = (CONFIGS / "agent").glob("*.yaml")
    return {str((yaml.safe_load(path.read_text()) or {}).get("_target_")) for path in configs}


def _costs(run: RunFolder) -> Iterator[Refusal]:
    """No cost is below 0, and guest seconds, those of tools included, end within one trial or call of the budget."""
    for call in run.calls:
        if min(call.prompt_tokens, call.completion_tokens, call.usd or 0.0, call.host_s, call.waited_s) < 0:
            yield Refusal(Kind.COST, run.file(LEDGER), f"call {call.call} has a cost below 0")
    used: list[float] = []
    baselines: dict[str, float] = {}
    for number, tool in enumerate(run.tools, 1):
        guest_s = (tool["data"].get("guest_s") or 0.0) if tool["tool"] != MEASURE else 0.0
        used.append(float(guest_s))
        if guest_s < 0:
            yield Refusal(Kind.COST, f"{run.file(TOOLS)} line {number}", "it has used less than 0 guest seconds")
    for _name, entry in run.trials:
        job_s = float(entry["measurement"]["job_s"] or 0.0)
        if entry["kind"] == "baseline":
            baselines[entry["measurement"]["trial"]] = job_s
        elif entry["kind"] == "evaluation":
            used.append(job_s)
    used += baselines.values()
    limit = run.settings.budget.virtual_s
    if limit is not None and used and sum(used) - max(used) >= limit:
        why = f"{sum(used):.1f} guest seconds used, tools included; budget.virtual_s={limit:g}"
        yield Refusal(Kind.BUDGET, run.file(RECORD), why)
