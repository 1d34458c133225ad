"""What runs cost for what they found, out of their folders: to compare agents that had the same model and prices."""

import dataclasses
import functools
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from schedcp_gym.baselines.toolbox import MEASURE
from schedcp_gym.llm import CallEntry, Prices, read_ledger
from schedcp_gym.llm.books import LEDGER
from schedcp_gym.llm.lines import read_lines
from schedcp_gym.run.model import FOLDER, Cost, cost_of
from schedcp_gym.spec import EEVDF, BadInput, SchedcpError

#: What an entry's ``source`` says where its tokens were not counted by who charges for them.
GUESSED = ("estimate", "ceiling")


@dataclass(frozen=True)
class Spent:
    """What something cost.

    Attributes:
        calls: Of the language model, failed attempts included.
        prompt_tokens: Of all prompts.
        completion_tokens: Of all answers.
        usd: Dollars; None where a price is not known.
        model_host_s: Host seconds in calls and in waits between attempts.
        guest_s: Guest seconds of measurements and tools.
    """

    calls: float
    prompt_tokens: float
    completion_tokens: float
    usd: float | None
    model_host_s: float
    guest_s: float

    @property
    def tokens(self) -> float:
        """Of prompts and answers."""
        return self.prompt_tokens + self.completion_tokens

    def per(self, count: int) -> "Spent | None":
        """The share of one of so many; None of none."""
        if count == 0:
            return None
        plain: dict[str, Any] = {
            name: value if value is None else value / count for name, value in dataclasses.asdict(self).items()
        }
        return Spent(**plain)

    def plain(self) -> dict[str, float | None]:
        """As values that JSON has words for."""
        return {"tokens": self.tokens, **dataclasses.asdict(self)}


@dataclass(frozen=True)
class RunCosts:
    """What a run, or several of one agent, cost and found.

    Attributes:
        name: Of the run's folder, or of the agent.
        agent: Who searched.
        workloads: On what.
        calls: Of language models.
        prices: All calls at these prices; None: at what was charged for them.
        runs: How many runs this is the sum of.
        evaluations: Policies that were measured, repeats included.
        working: Different policies that ran to the end.
        better: Of these, those better than EEVDF in the search.
        verified: Different policies that passed all stages of the execution verifier; None if nothing was submitted.
        best_rewards: Of each run's best policy.
        guest_s: Of the search; the test on held-out seeds is not in it.
    """

    name: str
    agent: str
    workloads: tuple[str, ...]
    calls: tuple[CallEntry, ...]
    prices: Prices | None
    runs: int
    evaluations: int
    working: int
    better: int
    verified: int | None
    best_rewards: tuple[float, ...]
    guest_s: float

    @functools.cached_property
    def models(self) -> Cost:
        """What the models took."""
        return cost_of(self.calls)

    @property
    def is_stand_in(self) -> bool:
        """Its models are programs of our own: no language model was called, and its tokens are estimates."""
        return bool(self.calls) and not self.models.are_language_models

    @property
    def guessed_calls(self) -> int:
        """Calls whose tokens were not counted by who charges for them."""
        return len(self.calls) if self.is_stand_in else sum(call.source in GUESSED for call in self.calls)

    @property
    def spent(self) -> Spent:
        """By the search."""
        total = self.models.total
        return Spent(total.calls, total.prompt_tokens, total.completion_tokens, self._usd(), total.host_s, self.guest_s)

    @property
    def improvement(self) -> float | None:
        """Geometric mean of the best policies' improvement ratios over EEVDF, in the search; None without any."""
        return math.exp(math.fsum(self.best_rewards) / len(self.best_rewards)) if self.best_rewards else None

    def shares(self) -> dict[str, Spent | None]:
        """The cost of one policy, by what is counted as one; None where there is none."""
        counts = {
            "working policy": self.working,
            "policy better than EEVDF": self.better,
            "verified policy": self.verified or 0,
            "best policy": len(self.best_rewards),
        }
        return {name: self.spent.per(count) for name, count in counts.items()}

    def plain(self) -> dict[str, Any]:
        """As values that JSON has words for."""
        names = ("name", "agent", "runs", "evaluations", "working", "better", "verified")
        shares = {f"per_{name.replace(' ', '_').lower()}": share for name, share in self.shares().items()}
        return {
            **{name: getattr(self, name) for name in names},
            "workloads": list(self.workloads),
            "best_improvement": self.improvement,
            "models": list(self.models.models),
            "is_stand_in": self.is_stand_in,
            "guessed_calls": self.guessed_calls,
            "total": self.spent.plain(),
            **{name: None if share is None else share.plain() for name, share in shares.items()},
            "by_role": self.models.plain()["by_role"],
        }

    def _usd(self) -> float | None:
        if self.prices is not None:
            return math.fsum(self.prices.usd(call.prompt_tokens, call.completion_tokens) for call in self.calls)
        if any(call.usd is None for call in self.calls):
            return None
        return math.fsum(call.usd or 0.0 for call in self.calls)


def read_costs(folder: Path, prices: Prices | None = None) -> RunCosts:
    """What the run in a folder cost and found so far.

    Args:
        folder: The run's.
        prices: Takes all calls at these prices, whatever was charged for them.

    Raises:
        BadInput: It is not a run's folder.
        SchedcpError: A file in it is damaged.
    """
    config = _config(folder)
    try:
        return _costs(folder, config, prices)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise SchedcpError(f"{folder}: an entry of its record or of tools.jsonl is damaged: {error}") from None


def _costs(folder: Path, config: dict[str, Any], prices: Prices | None) -> RunCosts:
    record, tools = read_lines(folder / "record.jsonl"), read_lines(folder / "tools.jsonl")
    evaluations = [entry for entry in record if entry["kind"] == "evaluation"]
    working = [entry for entry in evaluations if entry["outcome"] == "ok" and entry["policy"] != EEVDF]
    return RunCosts(
        name=folder.resolve().name,
        agent=config["run"]["agent"],
        workloads=(config["workload"]["name"],),
        calls=tuple(read_ledger(folder / FOLDER / LEDGER)),
        prices=prices,
        runs=1,
        evaluations=len(evaluations),
        working=_policies(working),
        better=_policies(entry for entry in working if entry["reward"] > 0),
        verified=_verified(tools),
        best_rewards=(max(entry["reward"] for entry in working),) if working else (),
        guest_s=_guest_s(record, tools),
    )


def by_agent(costs: Sequence[RunCosts]) -> list[RunCosts]:
    """The sums over the runs of each agent with the same models, in the order in which they come first."""
    groups: dict[tuple[str, tuple[str, ...]], list[RunCosts]] = {}
    for one in costs:
        groups.setdefault((one.agent, one.models.models), []).append(one)
    return [_sum(group) for group in groups.values()]


def _sum(costs: Sequence[RunCosts]) -> RunCosts:
    verified = [one.verified for one in costs if one.verified is not None]
    return RunCosts(
        name=costs[0].agent,
        agent=costs[0].agent,
        workloads=tuple(dict.fromkeys(name for one in costs for name in one.workloads)),
        calls=tuple(call for one in costs for call in one.calls),
        prices=costs[0].prices,
        runs=len(costs),
        evaluations=sum(one.evaluations for one in costs),
        working=sum(one.working for one in costs),
        better=sum(one.better for one in costs),
        verified=sum(verified) if verified else None,
        best_rewards=tuple(reward for one in costs for reward in one.best_rewards),
        guest_s=math.fsum(one.guest_s for one in costs),
    )


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.yaml"
    if not path.is_file():
        raise BadInput(f"{folder} is not a run's folder (no config.yaml in it): give folders like runs/NAME")
    try:
        config = yaml.safe_load(path.read_text())
        if {"agent"} <= config["run"].keys() and {"name"} <= config["workload"].keys():
            return dict(config)
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, UnicodeDecodeError):
        pass
    raise SchedcpError(f"{path} is damaged")


def _policies(entries: Iterable[dict[str, Any]]) -> int:
    """Different ones: source and tunables."""
    return len({(entry["source_sha256"], json.dumps(entry["tunables"], sort_keys=True)) for entry in entries})


def _verified(tools: Sequence[dict[str, Any]]) -> int | None:
    """Policies that were given a token."""
    submitted = [entry for entry in tools if entry["tool"] == "submit_policy"]
    passed = {
        json.dumps([entry["data"].get("policy"), entry["data"].get("tunables")], sort_keys=True)
        for entry in submitted
        if entry["data"].get("passed") and entry["data"].get("token")
    }
    return len(passed) if submitted else None


def _guest_s(record: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]]) -> float:
    """As the budget counts it: each baseline once, each evaluation, and what tools used of the guest."""
    baselines = {entry["measurement"]["trial"]: _job_s(entry) for entry in record if entry["kind"] == "baseline"}
    evaluated = [_job_s(entry) for entry in record if entry["kind"] == "evaluation"]
    # Of measurements the record has it already.
    used = [entry["data"].get("guest_s") or 0.0 for entry in tools if entry["tool"] != MEASURE]
    return math.fsum([*baselines.values(), *evaluated, *used])


def _job_s(entry: dict[str, Any]) -> float:
    return float(entry["measurement"]["job_s"] or 0.0)
