"""Read the costs of runs from their folders, to compare agents with equal models and prices."""

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
from schedcp_gym.run.lines import AuditedCall, Evaluation
from schedcp_gym.run.model import Cost, total_cost
from schedcp_gym.spec import EEVDF, SchedcpError

#: Values of a call's ``source`` if the provider did not count its tokens.
GUESSED = ("estimate", "ceiling")
#: The tool that verifies an agent's policy.
SUBMIT = "submit_policy"


@dataclass(frozen=True)
class Spent:
    """Costs of something.

    Attributes:
        calls: Calls of the language model, including failed attempts.
        prompt_tokens: Tokens of all prompts.
        completion_tokens: Tokens of all answers.
        usd: Dollars; None if a price is unknown.
        model_host_s: Host seconds of calls, and of the waits between attempts.
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
        """Return the tokens of prompts and answers."""
        return self.prompt_tokens + self.completion_tokens

    def per(self, count: int) -> "Spent | None":
        """Return these costs divided by a count; None if it is 0."""
        if count == 0:
            return None
        shares: dict[str, Any] = {name: None if value is None else value / count for name, value in vars(self).items()}
        return Spent(**shares)

    def as_plain(self) -> dict[str, float | None]:
        """Return the costs for JSON."""
        return {"tokens": self.tokens, **vars(self)}


@dataclass(frozen=True)
class RunCosts:
    """Costs and findings of a run, or of several runs of one agent.

    Attributes:
        name: Name of the run's folder, or of the agent.
        agent: The agent.
        workloads: The workloads.
        calls: Calls of language models.
        prices: Prices to use for all calls; None: the prices that were charged.
        runs: Number of runs.
        evaluations: Number of measured policies, including repeats.
        working: Number of different policies that ran to their end.
        better: Number of different policies that were better than EEVDF in the search.
        verified: Number of different policies that the verifier accepted; None if none was submitted to it.
        best_rewards: Reward of each run's best policy.
        guest_s: Guest seconds of the search, without the test on held-out seeds.
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
        """Return the costs of the language models."""
        return total_cost(self.calls)

    @property
    def is_stand_in(self) -> bool:
        """Return whether programs of this package answered instead of language models; tokens are then estimates."""
        return bool(self.calls) and not self.models.are_language_models

    @property
    def guessed_calls(self) -> int:
        """Return the number of calls whose tokens the provider did not count."""
        return len(self.calls) if self.is_stand_in else sum(call.source in GUESSED for call in self.calls)

    @property
    def spent(self) -> Spent:
        """Return the costs of the search."""
        total = self.models.total
        usd = [
            call.usd if self.prices is None else self.prices.usd(call.prompt_tokens, call.completion_tokens)
            for call in self.calls
        ]
        known = [value for value in usd if value is not None]
        dollars = math.fsum(known) if len(known) == len(usd) else None
        return Spent(total.calls, total.prompt_tokens, total.completion_tokens, dollars, total.host_s, self.guest_s)

    @property
    def improvement(self) -> float | None:
        """Return the geometric mean of the best policies' improvement ratios in the search; None without any."""
        return math.exp(math.fsum(self.best_rewards) / len(self.best_rewards)) if self.best_rewards else None

    def shares(self) -> dict[str, Spent | None]:
        """Return the costs for each working, better, verified and best policy; None if there is none."""
        counts = {
            "working policy": self.working,
            "policy better than EEVDF": self.better,
            "verified policy": self.verified or 0,
            "best policy": len(self.best_rewards),
        }
        return {name: self.spent.per(count) for name, count in counts.items()}

    def as_plain(self) -> dict[str, Any]:
        """Return the costs for JSON."""
        names = ("name", "agent", "runs", "evaluations", "working", "better", "verified", "workloads")
        shares = {f"per_{name.replace(' ', '_').lower()}": share for name, share in self.shares().items()}
        return {
            **{name: getattr(self, name) for name in names},
            "best_improvement": self.improvement,
            "models": self.models.models,
            "is_stand_in": self.is_stand_in,
            "guessed_calls": self.guessed_calls,
            "total": self.spent.as_plain(),
            **{name: share and share.as_plain() for name, share in shares.items()},
            "by_role": self.models.as_plain()["by_role"],
        }


def read_costs(run: RunFolder, prices: Prices | None = None) -> RunCosts:
    """Return the costs and findings of a run so far.

    Args:
        run: The run.
        prices: Prices to use for all calls, instead of those that were charged.

    Raises:
        BadInput: It is not a run's folder.
        SchedcpError: A file in it is damaged.
    """
    working = [line for line in run.evaluations if line["outcome"] == "ok" and line["policy"] != EEVDF]
    submitted = any(call["tool"] == SUBMIT for call in run.tools)
    try:
        return RunCosts(
            name=run.path.resolve().name,
            agent=run.agent,
            workloads=(run.config["workload"]["name"],),
            calls=tuple(run.calls),
            prices=prices,
            runs=1,
            evaluations=len(run.evaluations),
            working=_policies(working),
            better=_policies(line for line in working if line["reward"] > 0),
            verified=len(set(map(_identity, passed_policies(run.tools)))) if submitted else None,
            best_rewards=(max(line["reward"] for line in working),) if working else (),
            guest_s=math.fsum(used_s(run)),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise SchedcpError(f"{run.where}: {TOOLS} or {LEDGER} is damaged: {error}") from None


def by_agent(costs: Sequence[RunCosts]) -> list[RunCosts]:
    """Return the totals of the runs of each agent with the same models, in the order of its first run."""
    groups: dict[tuple[str, tuple[str, ...]], list[RunCosts]] = {}
    for one in costs:
        groups.setdefault((one.agent, one.models.models), []).append(dataclasses.replace(one, name=one.agent))
    return [functools.reduce(_add, group) for group in groups.values()]


def _add(first: RunCosts, second: RunCosts) -> RunCosts:
    verified = [one.verified for one in (first, second) if one.verified is not None]
    names = ("calls", "runs", "evaluations", "working", "better", "best_rewards", "guest_s")
    return dataclasses.replace(
        first,
        workloads=tuple(dict.fromkeys(first.workloads + second.workloads)),
        verified=sum(verified) if verified else None,
        **{name: getattr(first, name) + getattr(second, name) for name in names},
    )


def _policies(lines: Iterable[Evaluation]) -> int:
    """Return the number of different policies: source and tunables."""
    return len({(line["source_sha256"], json.dumps(line["tunables"], sort_keys=True)) for line in lines})


def passed_policies(tools: Sequence[AuditedCall]) -> list[dict[str, Any]]:
    """Return the data of the verifications that accepted a policy and gave it a token."""
    submitted = [call["data"] for call in tools if call["tool"] == SUBMIT]
    return [data for data in submitted if data.get("passed") and data.get("token")]


def _identity(data: dict[str, Any]) -> str:
    return json.dumps([data.get("policy"), data.get("tunables")], sort_keys=True)


def used_s(run: RunFolder) -> list[float]:
    """Return guest seconds as the budget counts them: of each different baseline, each evaluation, and each tool."""
    baselines = {line["measurement"]["trial"]: line["measurement"]["job_s"] or 0.0 for line in run.baselines}
    evaluated = [line["measurement"]["job_s"] or 0.0 for line in run.evaluations]
    # The record has the measurements of the tool that measures.
    used = [call["data"].get("guest_s") or 0.0 for call in run.tools if call["tool"] != MEASURE]
    return [*baselines.values(), *evaluated, *used]
