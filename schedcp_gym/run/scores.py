"""Read the scores of runs from their folders, to compare agents."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schedcp_gym.bench.comparison import Score, SearchStep
from schedcp_gym.llm import Prices
from schedcp_gym.run.costs import RunCosts, read_costs
from schedcp_gym.run.folder import RunFolder, runs_in
from schedcp_gym.run.lines import HeldOutTrial, Line, TrialLine, measurement_of
from schedcp_gym.run.results import final_rewards
from schedcp_gym.spec import REWARD_LIMIT, Measurement, Objective, SchedcpError, Workload, improvement, reward


@dataclass
class Scored:
    """Scores of the runs in some folders.

    Attributes:
        scores: Scores of finished runs.
        unended: Folders of unfinished runs.
        control: Task → scores of EEVDF against itself, on held-out seeds on which several runs measured it.
        budgets: Limits of the runs, in words.
    """

    scores: list[Score] = field(default_factory=list)
    unended: list[Path] = field(default_factory=list)
    control: dict[str, list[float]] = field(default_factory=dict)
    budgets: set[str] = field(default_factory=set)


def read_scores(paths: Sequence[Path], prices: Prices | None = None) -> Scored:
    """Read the scores of all runs in some folders, each once.

    Args:
        paths: Folders of runs, or folders that contain runs.
        prices: Prices to use for all calls of language models.

    Raises:
        BadInput: A folder has no run.
        SchedcpError: A file of a run is damaged.
    """
    found = Scored()
    trials: dict[str, dict[str, list[Measurement]]] = {}
    workloads: dict[str, tuple[Workload, Objective]] = {}
    for run in runs_in(paths):
        try:
            score = read_score(run, prices)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            why = " ".join(str(error).split())
            raise SchedcpError(f"{run.where}: a file of this run is damaged: {why}") from None
        if score is None:
            found.unended.append(run.path)
            continue
        found.scores.append(score)
        found.budgets.add(_budget_text(run))
        workloads[score.task] = (run.workload, run.objective)
        for baseline, *_tested in by_seed(run.record, run.workload.name).values():
            measured = measurement_of(baseline)
            trials.setdefault(score.task, {}).setdefault(measured.trial, []).append(measured)
    for task, by_trial in trials.items():
        found.control[task] = _control(*workloads[task], by_trial.values())
    return found


def label_of(costs: RunCosts) -> str:
    """Return an agent's label in tables: its name, and its language model if it uses one."""
    models = ", ".join(costs.models.models) if costs.calls else ""
    return f"{costs.agent} ({models})" if models else costs.agent


def read_score(run: RunFolder, prices: Prices | None = None) -> Score | None:
    """Return the score of a run; None if it has not ended.

    Args:
        run: The run.
        prices: Prices to use for all calls of language models.

    Raises:
        SchedcpError: A file is damaged; also KeyError, TypeError, AttributeError and ValueError.
    """
    final, variant = final_rewards(run)
    if final is None:
        return None
    costs = read_costs(run, prices)
    return Score(
        run=str(run.path),
        agent=label_of(costs),
        task=_task_text(run),
        seed=run.settings.seed,
        score=final,
        variant=variant,
        to_bound=_to_bound(run),
        evaluations=costs.evaluations,
        virtual_s=costs.guest_s,
        tokens=costs.spent.tokens,
        usd=costs.spent.usd,
        steps=tuple(steps_of(run.record, prices)),
    )


def _task_text(run: RunFolder) -> str:
    """Return a run's task in words. Runs on the same task have the same text."""
    settings = run.settings
    parts = [settings.workload.name, settings.scale.value, settings.machine.describe()]
    parts += [str(settings.objective)] if settings.objective else []
    return ", ".join(parts)


def _budget_text(run: RunFolder) -> str:
    """Return a run's limits in words."""
    limits = run.config["budget"].items()
    return ", ".join(f"{name}={value:g}" for name, value in limits if value is not None)


def _to_bound(run: RunFolder) -> float | None:
    """Return the mean distance to the bound over held-out seeds; the distance of a failure is the largest possible.

    A run without a policy to test has measured EEVDF only in its search, so the bound is taken from there. If such runs
    were left out, an agent would gain by failing.
    """
    if run.objective.bound is None:
        return None
    metric = next(iter(run.objective.weights))

    def possible(baseline: TrialLine) -> float:
        of_eevdf = baseline["measurement"]["metrics"]
        return math.log(improvement(run.workload, metric, of_eevdf[str(run.objective.bound)], of_eevdf[metric]))

    short = []
    for baseline, *tested in by_seed(run.record, run.workload.name).values():
        if tested:
            gained = tested[-1]["reward_parts"][metric] if tested[-1]["outcome"] == "ok" else -REWARD_LIMIT
            short.append(max(0.0, possible(baseline) - gained))
    if not short:
        short = [possible(baseline) + REWARD_LIMIT for baseline in run.baselines]
    return math.fsum(short) / len(short) if short else None


def _control(workload: Workload, objective: Objective, repeats: Iterable[Sequence[Measurement]]) -> list[float]:
    """Return the scores of pairs of measurements of one trial; each measurement is in one pair."""
    pairs = [pair for one in repeats for pair in zip(one[::2], one[1::2], strict=False)]
    return [reward(workload, second, first, objective) for first, second in pairs if first.ok and second.ok]


def by_seed(entries: Iterable[Line], workload: str) -> dict[int, list[HeldOutTrial]]:
    """Return the held-out lines on a workload by seed: EEVDF's is the first, the chosen policy's is the last."""
    found: dict[int, list[HeldOutTrial]] = {}
    for entry in entries:
        if entry["kind"] == "heldout" and entry["workload"] == workload:
            found.setdefault(entry["workload_seed"], []).append(entry)
    return found


def steps_of(entries: Iterable[Line], prices: Prices | None = None) -> Iterable[SearchStep]:
    """Return the states of a search from its record. Dollars are at the given prices, or as they were charged."""
    evaluations, virtual_s, best = 0, 0.0, -REWARD_LIMIT
    known: set[str] = set()
    for entry in entries:
        if entry["kind"] == "note" or entry["kind"] == "heldout":
            continue
        measured = entry["measurement"]
        if entry["kind"] == "baseline":
            virtual_s += 0.0 if measured["trial"] in known else measured["job_s"] or 0.0
            known.add(measured["trial"])
            continue
        evaluations += 1
        virtual_s += measured["job_s"] or 0.0
        if entry["outcome"] == "ok":
            best = max(best, float(entry["reward"]))
        yield SearchStep(evaluations, virtual_s, best, *_llm_spent(entry.get("llm"), prices))


def _llm_spent(spent: Mapping[str, Any] | None, prices: Prices | None) -> tuple[float | None, float | None]:
    """Return tokens and dollars."""
    if spent is None:
        return None, None
    prompt, completion = spent["prompt_tokens"], spent["completion_tokens"]
    return prompt + completion, spent["usd"] if prices is None else prices.usd(prompt, completion)
