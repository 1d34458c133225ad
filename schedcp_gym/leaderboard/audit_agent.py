"""Check a run's claims about its agent: seed, chosen policy, language model and costs."""

from collections.abc import Iterator

import hydra.utils
import yaml
from gymnasium.utils.seeding import np_random

from schedcp_gym.baselines.toolbox import MEASURE
from schedcp_gym.envs.base import draw_workload_seed
from schedcp_gym.leaderboard.flaw import Flaw, FlawKind
from schedcp_gym.paths import CONFIGS
from schedcp_gym.run.costs import passed_policies, used_s
from schedcp_gym.run.folder import LEDGER, RECORD, SUMMARY, TOOLS, RunFolder


def audit_agent(run: RunFolder) -> Iterator[Flaw]:
    """Check seed, choice, model and costs of a run."""
    if run.target in own_targets():  # the code of other agents is never loaded
        yield from _seed(run)
        yield from _model(run)
    yield from _choice(run)
    yield from _costs(run)


def own_targets() -> set[str]:
    """Return the classes of this checkout's agents."""
    configs = (CONFIGS / "agent").glob("*.yaml")
    return {str((yaml.safe_load(path.read_text()) or {}).get("_target_")) for path in configs}


def _seed(run: RunFolder) -> Iterator[Flaw]:
    """Check that the search began with the run's seed: otherwise one lucky run could be submitted for all seeds."""
    seed = run.settings.seed
    expected = draw_workload_seed(np_random(seed)[0])
    found = next((line["workload_seed"] for line in run.baselines), expected)
    if found != expected:
        why = f"its first episode has the workload seed {found}; with the run's seed, {seed}, it must be {expected}"
        yield Flaw(FlawKind.TRIAL, run.file(RECORD), why)


def _choice(run: RunFolder) -> Iterator[Flaw]:
    """Check that the verifier accepted the chosen policy, if the agent chose another than the search's best."""
    chosen = [note["chosen"] for note in run.record if note["kind"] == "note" and note.get("chosen")]
    if not chosen:
        return
    evaluations = run.evaluations
    number = (chosen[-1] or {})["evaluation"]
    if not (isinstance(number, int) and 1 <= number <= len(evaluations)):
        yield Flaw(FlawKind.CHOSEN, run.file(RECORD), f"it chooses evaluation {number} of {len(evaluations)}")
        return
    policy, tunables = evaluations[number - 1]["policy"], evaluations[number - 1]["tunables"]
    if (policy, tunables) not in [(data.get("policy"), data.get("tunables")) for data in passed_policies(run.tools)]:
        why = f"it chooses {policy} as verified, but {TOOLS} has no verification that accepted this policy"
        yield Flaw(FlawKind.CHOSEN, run.file(RECORD), why)


def _model(run: RunFolder) -> Iterator[Flaw]:
    """Check that a model is named if, and only if, the agent uses one."""
    model = (run.summary or {}).get("model")
    if getattr(hydra.utils.get_class(run.target), "uses_llm", False):
        if model is None:
            yield Flaw(FlawKind.AGENT, run.file(SUMMARY), f"{run.agent} uses a language model, but none is named")
    elif model is not None or run.calls:
        yield Flaw(FlawKind.AGENT, run.file(SUMMARY), f"{run.agent} uses no language model, but one is named")


def _costs(run: RunFolder) -> Iterator[Flaw]:
    """Check that no cost is negative, and that guest seconds exceed the budget by at most one trial or call."""
    for call in run.calls:
        if min(call.prompt_tokens, call.completion_tokens, call.usd or 0.0, call.host_s, call.waited_s) < 0:
            yield Flaw(FlawKind.COST, run.file(LEDGER), f"call {call.call} has a negative cost")
    for number, tool in enumerate(run.tools, 1):
        if tool["tool"] != MEASURE and (tool["data"].get("guest_s") or 0.0) < 0:
            yield Flaw(FlawKind.COST, f"{run.file(TOOLS)} line {number}", "its guest seconds are negative")
    used = used_s(run)
    limit = run.settings.budget.virtual_s
    if limit is not None and used and sum(used) - max(used) >= limit:
        why = f"{sum(used):.1f} guest seconds were used, including tools; budget.virtual_s={limit:g}"
        yield Flaw(FlawKind.BUDGET, run.file(RECORD), why)
