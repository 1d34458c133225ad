"""What was measured, verified and deployed: taken from the tools' answers, never from what a model says of them."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from schedcp_gym.baselines.sched_agent.messages import ExecutionReport, Plan, Tried, Value

#: What a failed policy is written down with: no figure is lower.
_FAILED_IMPROVEMENT = 0.05


class Facts:
    """All that is known of this run's policies, in the order in which they were measured."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.tried: list[Tried] = []
        self.deployed: Tried | None = None
        self._asked: list[dict[str, Value]] = []
        self._evaluations: list[int] = []
        self._seeds: list[int] = []
        self._round = 0

    def begin_round(self, number: int) -> None:
        """What is measured from now on belongs to this round."""
        self._round = number

    def of_round(self, number: int) -> tuple[Tried, ...]:
        """What a round has measured."""
        return tuple(one for one in self.tried if one.round == number)

    def find(self, policy: str, tunables: Mapping[str, Value]) -> Tried | None:
        """A policy that was measured with exactly these values, said or meant: what is left out has its default."""
        values = dict(tunables)
        for one, asked in zip(self.tried, self._asked, strict=True):
            if one.policy == policy and values in (one.tunables, asked):
                return one
        return None

    def evaluation(self, one: Tried) -> int:
        """The number of its evaluation in the run's record."""
        return self._evaluations[self.tried.index(one)]

    @property
    def best(self) -> Tried | None:
        """The best that ran to its end, the first of equals."""
        return max((one for one in self.tried if one.outcome == "ok"), key=lambda one: one.improvement, default=None)

    @property
    def chosen(self) -> Tried | None:
        """What the run has found: what is deployed, or else the best that passed all stages of the verifier.

        None where that is no better than EEVDF.
        """
        if self.deployed and self.deployed.improvement > 1:
            return self.deployed
        passed = [one for one in self.tried if one.verified == "passed" and one.improvement > 1]
        return max(passed, key=lambda one: one.improvement, default=None)

    def unverified(self, least_gain: float) -> tuple[Tried, ...]:
        """What is better than what is deployed by that share, and not verified; the best first.

        Of the present workload seed only: under another, a process that a tunable names may not be there.
        """
        least = (self.deployed.improvement if self.deployed else 1.0) * (1 + least_gain)
        present = self._seeds[-1] if self._seeds else None
        of_seed = [one for one, seed in zip(self.tried, self._seeds, strict=True) if seed == present]
        found = [one for one in of_seed if one.verified == "no" and one.outcome == "ok" and one.improvement > least]
        return tuple(sorted(found, key=lambda one: -one.improvement))

    def measured(self, policy: str, asked: Mapping[str, Value], data: Mapping[str, Any]) -> Tried:
        """Writes down a measurement.

        Args:
            policy: What the tools know it by.
            asked: The values that the call has set; a policy kept with values of its own has more.
            data: The answer of ``measure_policy``.
        """
        against = data.get("metrics_vs_eevdf") or {}
        one = Tried(
            round=self._round,
            candidate="",
            policy=policy,
            tunables=dict(data["tunables"]),
            outcome=data["outcome"],
            improvement=round(float(data["improvement"]), 4) if data["outcome"] == "ok" else _FAILED_IMPROVEMENT,
            metrics={name: round(float(times), 3) for name, times in against.items()},
            message=str(data.get("message") or ""),
        )
        self._asked.append(dict(asked))
        self._evaluations.append(int(data["evaluation"]))
        self._seeds.append(int(data["workload_seed"]))
        self.tried.append(one)
        return one

    def verified(self, policy: str, tunables: Mapping[str, Value], passed: bool, found: str) -> None:
        """Writes down what all stages of the verifier have found."""
        self._change(policy, tunables, verified="passed" if passed else "failed", message="" if passed else found)

    def reverted(self, policy: str, tunables: Mapping[str, Value], why: str) -> None:
        """Writes down that a deployment was taken back."""
        self._change(policy, tunables, message=f"deployment taken back: {why}")

    def deploy(self, policy: str, tunables: Mapping[str, Value]) -> None:
        """Writes down that a policy serves the workload now."""
        for one in self.tried:
            if one.deployed:
                self._change(one.policy, one.tunables, deployed=False)
        self._change(policy, tunables, deployed=True)
        self.deployed = self.find(policy, tunables) or self.deployed

    def name_candidates(self, number: int, plan: Plan, report: ExecutionReport | None) -> None:
        """Finds which candidate of a round's plan each measurement belongs to."""
        for one in self.of_round(number):
            self._change(one.policy, one.tunables, candidate=_candidate_of(one, plan, report))

    def _change(self, policy: str, tunables: Mapping[str, Value], **fields: Any) -> None:
        one = self.find(policy, tunables)
        if one is None:
            return
        place = self.tried.index(one)
        self.tried[place] = dataclasses.replace(one, **fields)
        if self.deployed is one:
            self.deployed = self.tried[place]


def _candidate_of(one: Tried, plan: Plan, report: ExecutionReport | None) -> str:
    same = [
        c.name for c in plan.candidates if c.way == "configure" and (c.policy, c.tunables) == (one.policy, one.tunables)
    ]
    said = [a.candidate for a in report.attempts if a.policy == one.policy] if report else []
    known = {candidate.name for candidate in plan.candidates}
    return _only(same) or (_only(said) if _only(said) in known else "")


def _only(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ""
