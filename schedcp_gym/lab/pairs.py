"""Measure on the real clock: a policy and EEVDF in pairs, until the reward is known precisely enough."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked

from schedcp_gym.lab.lab import Lab
from schedcp_gym.spec import EEVDF, BadInput, Clock, Measurement, Objective, Outcome, Policy, Trial, reward
from schedcp_gym.spec.interval import half_width


@checked(frozen=True, config=ConfigDict(extra="forbid"))
class Precision:
    """Limits at which measuring stops.

    Attributes:
        half_width: Half the width of the reward's confidence interval that is narrow enough (0.02 is 2 %).
        confidence: Of that interval.
        least: Pairs that count, at least.
        most: Pairs that are measured, at most; those that don't count included.
        budget_s: Host seconds after which no pair is begun.
    """

    half_width: float = Field(default=0.02, gt=0)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    least: int = Field(default=3, ge=2)
    most: int = Field(default=20, ge=2)
    budget_s: float = Field(default=600.0, gt=0)


@dataclass(frozen=True)
class Pair:
    """A policy and EEVDF, measured one right after the other on the same cores.

    Attributes:
        measured: The policy's measurement.
        baseline: EEVDF's.
        reward: The objective's; None if the pair does not count.
    """

    measured: Measurement
    baseline: Measurement
    reward: float | None

    @property
    def contaminated(self) -> bool:
        """Return whether the host disturbed it too much to count."""
        return self.measured.contaminated or self.baseline.contaminated


@dataclass(frozen=True)
class Paired:
    """The result of some pairs.

    Attributes:
        pairs: All, in the order they were measured.
        reward: Mean over those that count; None if none does.
        half_width: Of the reward's confidence interval; infinite for fewer than two.
        ended: ``precise``, ``most`` or ``budget``: why no more were measured; ``failed``: the policy does not run.
    """

    pairs: tuple[Pair, ...]
    reward: float | None
    half_width: float
    ended: str


def measure_pairs(
    lab: Lab,
    trial: Trial,
    objective: Objective | None = None,
    precision: Precision | None = None,
    *,
    seed: int = 0,
    done: Callable[[Pair], None] | None = None,
) -> Paired:
    """Measure a trial of the real clock against EEVDF, in pairs in a random order.

    Pairs that were disturbed (time stolen by the hypervisor, other load on the cores) are kept, marked, and measured
    again; so are those the host failed. A policy's own failure is measured once: another try would not change it.

    Args:
        lab: Measures; on a cluster several pairs run at once, each on its own cores.
        trial: What to measure.
        objective: Replaces the workload's own.
        precision: When to stop.
        seed: Seed of the order within pairs.
        done: Called with each pair.

    Raises:
        BadInput: The trial is of the virtual clock.
        SchedcpError: Image, QEMU or compiler is missing.
    """
    if trial.machine.clock is not Clock.REAL:
        raise BadInput("on the virtual clock one measurement is exact: pairs are for the real clock")
    precision = precision or Precision()
    baseline = Trial(Policy(EEVDF), trial.workload, trial.machine, trial.scale, trial.seed)
    chance, pairs, spent_s = random.Random(seed), list[Pair](), 0.0
    at_once = max(1, lab.workers // trial.machine.cpus) if lab.executor.has_separate_cores else 1
    while True:
        ended = _ended(pairs, precision, spent_s)
        if ended:
            rewards = [pair.reward for pair in pairs if pair.reward is not None]
            mean = sum(rewards) / len(rewards) if rewards else None
            return Paired(tuple(pairs), mean, half_width(rewards, precision.confidence), ended)
        number = min(at_once, precision.most - len(pairs))
        swapped = [chance.random() < 0.5 for _ in range(number)]
        groups = [(baseline, trial) if swap else (trial, baseline) for swap in swapped]
        for swap, group in zip(swapped, lab.measure_in_turn(groups), strict=True):
            pairs.append(_pair(trial, objective, *(reversed(group) if swap else group)))
            spent_s += sum(one.timings_s.get("total", 0.0) for one in group) / number
            if done:
                done(pairs[-1])


def _pair(trial: Trial, objective: Objective | None, measured: Measurement, baseline: Measurement) -> Pair:
    failed = Outcome.INFRA_FAULT in (measured.outcome, baseline.outcome) or not baseline.ok
    counts = not (failed or measured.contaminated or baseline.contaminated)
    return Pair(measured, baseline, reward(trial.workload, measured, baseline, objective) if counts else None)


def _ended(pairs: Sequence[Pair], precision: Precision, spent_s: float) -> str:
    rewards = [pair.reward for pair in pairs if pair.reward is not None]
    own_failure = any(not (p.measured.ok or p.measured.outcome is Outcome.INFRA_FAULT) for p in pairs)
    if own_failure:
        return "failed"
    if len(rewards) >= precision.least and half_width(rewards, precision.confidence) <= precision.half_width:
        return "precise"
    if len(pairs) >= precision.most:
        return "most"
    return "budget" if spent_s >= precision.budget_s else ""
