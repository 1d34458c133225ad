"""Measurements, verifications and deployments of a run, from the tools' data, never from a model's words."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from schedcp_gym.baselines.sched_agent.messages import ExecutionReport, Plan, Tried
from schedcp_gym.spec.policy import Value

#: Improvement recorded for a failed policy: the lowest possible value.
_FAILED_IMPROVEMENT = 0.05


class Facts:
    """The results of this run's policies, in the order of their measurements."""

    def __init__(self) -> None:
        """Begin without results."""
        self.tried: list[Tried] = []
        self.deployed: Tried | None = None
        self._asked: list[dict[str, Value]] = []
        self._evaluations: list[int] = []
        self._seeds: list[int] = []
        self._round = 0

    def begin_round(self, number: int) -> None:
        """Count later measurements to this round."""
        self._round = number

    def of_round(self, number: int) -> tuple[Tried, ...]:
        """Return the results of a round."""
        return tuple(one for one in self.tried if one.round == number)

    def find(self, policy: str, tunables: Mapping[str, Value]) -> Tried | None:
        """Return the result of a policy with exactly these values; values that are left out have their defaults."""
        values = dict(tunables)
        for one, asked in zip(self.tried, self._asked, strict=True):
            if one.policy == policy and values in (one.tunables, asked):
                return one
        return None

    def evaluation(self, one: Tried) -> int:
        """Return the number of a result's evaluation in the run's record."""
        return self._evaluations[self.tried.index(one)]

    @property
    def best(self) -> Tried | None:
        """The best result that is ok, the first one of equals; None if there is none."""
        return max((one for one in self.tried if one.outcome == "ok"), key=lambda one: one.improvement, default=None)

    @property
    def chosen(self) -> Tried | None:
        """The run's result: the deployed policy, or else the best one that passed all stages of the verifier.

        None if that is no better than EEVDF.
        """
        if self.deployed and self.deployed.improvement > 1:
            return self.deployed
        passed = [one for one in self.tried if one.verified == "passed" and one.improvement > 1]
        return max(passed, key=lambda one: one.improvement, default=None)

    def unverified(self, least_gain: float) -> tuple[Tried, ...]:
        """Return unverified results that are better than the deployed policy by that share, the best first.

        Only those of the present workload seed: with another seed, a process that a tunable names may not exist.
        """
        least = (self.deployed.improvement if self.deployed else 1.0) * (1 + least_gain)
        present = self._seeds[-1] if self._seeds else None
        of_seed = [one for one, seed in zip(self.tried, self._seeds, strict=True) if seed == present]
        found = [one for one in of_seed if one.verified == "no" and one.outcome == "ok" and one.improvement > least]
        return tuple(sorted(found, key=lambda one: -one.improvement))

    def measured(self, policy: str, asked: Mapping[str, Value], data: Mapping[str, Any]) -> Tried:
        """Record a measurement.

        Args:
            policy: The policy's name for the tools.
            asked: The values in the call; a policy that the repository keeps with values has more.
            data: Data of ``measure_policy``.
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
        """Record the result of a full verification."""
        self._change(policy, tunables, verified="passed" if passed else "failed", message="" if passed else found)

    def reverted(self, policy: str, tunables: Mapping[str, Value], why: str) -> None:
        """Record that a deployment was taken back."""
        self._change(policy, tunables, message=f"deployment taken back: {why}")

    def deploy(self, policy: str, tunables: Mapping[str, Value]) -> None:
        """Record that a policy is deployed now."""
        for one in self.tried:
            if one.deployed:
                self._change(one.policy, one.tunables, deployed=False)
        self._change(policy, tunables, deployed=True)
        self.deployed = self.find(policy, tunables) or self.deployed

    def name_candidates(self, number: int, plan: Plan, report: ExecutionReport | None) -> None:
        """Assign each measurement of a round to a candidate of its plan."""
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
