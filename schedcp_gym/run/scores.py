"""Scores of runs, read from their folders, for comparing agents."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

from schedcp_gym.bench.comparison import Score, Step
from schedcp_gym.lab import catalogue
from schedcp_gym.llm import Prices
from schedcp_gym.llm.lines import read_lines
from schedcp_gym.run.costs import RunCosts, read_costs
from schedcp_gym.run.results import final_rewards, has_variants, run_folders
from schedcp_gym.run.settings import Settings, read_settings
from schedcp_gym.spec import (
    REWARD_LIMIT,
    Measurement,
    Objective,
    SchedcpError,
    Workload,
    improvement,
    reward,
)

Entry = dict[str, Any]


@dataclass
class Scored:
    """What was found in some folders.

    Attributes:
        scores: Of runs that have ended.
        unended: Folders of runs that have not.
        control: Task → scores of EEVDF against EEVDF, on held-out seeds that more than one run has measured it on.
        budgets: The limits that runs had, in words.
    """

    scores: list[Score] = field(default_factory=list)
    unended: list[Path] = field(default_factory=list)
    control: dict[str, list[float]] = field(default_factory=dict)
    budgets: set[str] = field(default_factory=set)


def read_scores(paths: Sequence[Path], prices: Prices | None = None) -> Scored:
    """Reads all runs in some folders, each once.

    Args:
        paths: Runs' folders, or ones that hold some.
        prices: Takes all calls of language models at these prices.

    Raises:
        BadInput: There is no run in one of them.
        SchedcpError: A run's file is damaged.
    """
    found = Scored()
    trials: dict[str, dict[str, list[Measurement]]] = {}
    workloads: dict[str, tuple[Workload, Objective]] = {}
    folders = dict.fromkeys(folder.resolve() for path in paths for folder in run_folders(path))
    for folder in folders:
        try:
            one = _Run(folder, prices)
            score = one.score()
        except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
            told = " ".join(str(error).split())
            raise SchedcpError(f"{folder}: a file of this run is damaged: {told}") from None
        if score is None:
            found.unended.append(folder)
            continue
        found.scores.append(score)
        found.budgets.add(one.budget)
        workloads[one.task] = (one.workload, one.objective)
        for entry in one.baselines:
            measured = measurement_of(entry)
            trials.setdefault(one.task, {}).setdefault(measured.trial, []).append(measured)
    for task, by_trial in trials.items():
        found.control[task] = _control(*workloads[task], by_trial.values())
    return found


def agent_of(folder: Path) -> tuple[str, str]:
    """The agent of the run in a folder: as tables call it, with its model, and its name alone.

    Raises:
        BadInput: It is not a run's folder.
        SchedcpError: A file in it is damaged.
    """
    costs = read_costs(folder)
    return label_of(costs), costs.agent


def label_of(costs: RunCosts) -> str:
    """What tables call an agent: its name, with the model it asked."""
    models = ", ".join(costs.models.models) if costs.calls else ""
    return f"{costs.agent} ({models})" if models else costs.agent


def read_score(folder: Path) -> Score | None:
    """The score of the run in a folder; None if it has not ended.

    Raises:
        SchedcpError: A file is damaged; KeyError, TypeError, AttributeError and ValueError say the same.
    """
    return _Run(folder, None).score()


def _control(workload: Workload, objective: Objective, repeats: Iterable[Sequence[Measurement]]) -> list[float]:
    """Scores of each of two measurements of one trial against the other: each measurement is in one pair."""
    pairs = [pair for one in repeats for pair in zip(one[::2], one[1::2], strict=False)]
    return [reward(workload, second, first, objective) for first, second in pairs if first.ok and second.ok]


class _Run:
    """A run's folder, read."""

    def __init__(self, folder: Path, prices: Prices | None) -> None:
        self.folder = folder
        self.config: dict[str, Any] = yaml.safe_load((folder / "config.yaml").read_text())
        self.settings: Settings = read_settings(self.config)
        self.entries = read_lines(folder / "record.jsonl")
        self.costs: RunCosts = read_costs(folder, prices)
        self.workload = catalogue.load_workload(self.settings.workload.name)
        self.objective = catalogue.find_objective(self.workload, self.settings.objective)

    @property
    def task(self) -> str:
        """In words; runs with the same are on the same task."""
        settings, machine = self.settings, self.settings.machine
        parts = [settings.workload.name, settings.scale.value, machine.clock.value, f"{machine.cpus} CPUs"]
        parts += [str(settings.objective)] if settings.objective else []
        return ", ".join(parts)

    @property
    def agent(self) -> str:
        """With its model, where it asked one."""
        return label_of(self.costs)

    @property
    def budget(self) -> str:
        """Its limits, in words."""
        limits = self.config["budget"].items()
        return ", ".join(f"{name}={value:g}" for name, value in limits if value is not None)

    @property
    def baselines(self) -> list[Entry]:
        """EEVDF's on held-out seeds, one a seed."""
        return [mine[0] for mine in by_seed(self.entries, self.workload.name).values()]

    def score(self) -> Score | None:
        """None if the run has not ended."""
        final, variant = final_rewards(self.folder, has_variants=has_variants(self.config))
        if final is None:
            return None
        spent = self.costs.spent
        return Score(
            run=str(self.folder),
            agent=self.agent,
            task=self.task,
            seed=self.settings.seed,
            score=final,
            variant=variant,
            to_bound=self._to_bound(),
            evaluations=self.costs.evaluations,
            virtual_s=self.costs.guest_s,
            tokens=spent.tokens,
            usd=spent.usd,
            steps=tuple(steps_of(self.entries, self.costs.prices)),
        )

    def _to_bound(self) -> float | None:
        """The mean over held-out seeds; a failure falls short of EEVDF by the most there is.

        A run without a policy to test has measured EEVDF in its search only: how far the bound is, is told by that.
        Left out, an agent would gain by failing.
        """
        if self.objective.bound is None:
            return None
        short = []
        for baseline, *tested in by_seed(self.entries, self.workload.name).values():
            if not tested:
                continue
            ok = tested[-1]["outcome"] == "ok"
            gained = tested[-1]["reward_parts"][self._metric] if ok else -REWARD_LIMIT
            short.append(max(0.0, self._possible(baseline, self.objective.bound) - gained))
        if not short:
            searched = [entry for entry in self.entries if entry["kind"] == "baseline"]
            short = [self._possible(baseline, self.objective.bound) + REWARD_LIMIT for baseline in searched]
        return math.fsum(short) / len(short) if short else None

    @property
    def _metric(self) -> str:
        return next(iter(self.objective.weights))

    def _possible(self, baseline: Entry, bound: str) -> float:
        of_eevdf = baseline["measurement"]["metrics"]
        return math.log(improvement(self.workload, self._metric, of_eevdf[bound], of_eevdf[self._metric]))


def by_seed(entries: Iterable[Entry], workload: str) -> dict[int, list[Entry]]:
    """Held-out entries on a workload by seed: EEVDF's first; the last is the chosen policy's."""
    found: dict[int, list[Entry]] = {}
    for entry in entries:
        if entry["kind"] == "heldout" and entry["workload"] == workload:
            found.setdefault(entry["workload_seed"], []).append(entry)
    return found


def steps_of(entries: Iterable[Entry], prices: Prices | None = None) -> Iterable[Step]:
    """How a search went, out of its record; tokens at some prices, or at what was charged for them."""
    evaluations, virtual_s, best = 0, 0.0, -REWARD_LIMIT
    known: set[str] = set()
    for entry in entries:
        if entry["kind"] not in ("baseline", "evaluation"):
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
        yield Step(evaluations, virtual_s, best, *_llm_spent(entry.get("llm"), prices))


def _llm_spent(spent: Mapping[str, Any] | None, prices: Prices | None) -> tuple[float | None, float | None]:
    """Tokens and dollars."""
    if spent is None:
        return None, None
    prompt, completion = spent["prompt_tokens"], spent["completion_tokens"]
    return prompt + completion, spent["usd"] if prices is None else prices.usd(prompt, completion)


_ADAPTER = TypeAdapter(Measurement)


def measurement_of(entry: Mapping[str, Any]) -> Measurement:
    """The measurement in a record's entry.

    Raises:
        ValueError: It is none.
    """
    measured: Measurement = _ADAPTER.validate_python({**entry["measurement"], **entry.get("host", {})})
    return measured
