"""What runs cost for what they found, out of their folders: to compare agents that had the same model and prices."""

import dataclasses
import functools
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from schedcp_gym.baselines.toolbox import MEASURE
from schedcp_gym.llm import CallEntry, Prices
from schedcp_gym.run.folder import LEDGER, TOOLS, RunFolder
from schedcp_gym.run.lines import Call, Evaluation
from schedcp_gym.run.model import Cost, total_cost
from schedcp_gym.spec import EEVDF, SchedcpError

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
        return total_cost(self.calls)

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


def read_costs(run: RunFolder, prices: Prices | None = None) -> RunCosts:
    """Return what a run cost and found so far.

    Args:
        run: The run.
        prices: Takes all calls at these prices, whatever was charged for them.

    Raises:
        BadInput: It is not a run's folder.
        SchedcpError: A file in it is damaged.
    """
    config = run.config
    working = [line for line in run.evaluations if line["outcome"] == "ok" and line["policy"] != EEVDF]
    try:
        return RunCosts(
            name=run.path.resolve().name,
            agent=run.agent,
            workloads=(config["workload"]["name"],),
            calls=tuple(run.calls),
            prices=prices,
            runs=1,
            evaluations=len(run.evaluations),
            working=_policies(working),
            better=_policies(line for line in working if line["reward"] > 0),
            verified=_verified(run.tools),
            best_rewards=(max(line["reward"] for line in working),) if working else (),
            guest_s=_guest_s(run),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise SchedcpError(f"{run.where}: {TOOLS} or {LEDGER} is damaged: {error}") from None


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


def _policies(lines: Iterable[Evaluation]) -> int:
    """Return how many different ones there are: source and tunables."""
    return len({(line["source_sha256"], json.dumps(line["tunables"], sort_keys=True)) for line in lines})


def _verified(tools: Sequence[Call]) -> int | None:
    """Return how many policies were given a token."""
    submitted = [call["data"] for call in tools if call["tool"] == "submit_policy"]
    passed = {
        json.dumps([data.get("policy"), data.get("tunables")], sort_keys=True)
        for data in submitted
        if data.get("passed") and data.get("token")
    }
    return len(passed) if submitted else None


def _guest_s(run: RunFolder) -> float:
    """Return guest seconds as the budget counts them: each baseline once, each evaluation, and what tools used."""
    baselines = {line["measurement"]["trial"]: line["measurement"]["job_s"] or 0.0 for line in run.baselines}
    evaluated = [line["measurement"]["job_s"] or 0.0 for line in run.evaluations]
    # Of measurements the record has it already.
    used = [call["data"].get("guest_s") or 0.0 for call in run.tools if call["tool"] != MEASURE]
    return math.fsum([*baselines.values(), *evaluated, *used])
