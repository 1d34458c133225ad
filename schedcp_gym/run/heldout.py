"""The best policy against EEVDF on workload seeds that the search never saw."""

import copy
import dataclasses
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schedcp_gym import spec
from schedcp_gym.envs.base import HELD_OUT_SEEDS, Measures, SchedEnv
from schedcp_gym.envs.observation import log_improvements, nameable
from schedcp_gym.envs.wrappers import record_entry
from schedcp_gym.lab import catalogue
from schedcp_gym.run.settings import HeldOut
from schedcp_gym.spec import (
    EEVDF,
    BadInput,
    Measurement,
    Outcome,
    Policy,
    SchedcpError,
    TunableType,
    Workload,
    check_tunables,
    reward,
)
from schedcp_gym.spec.interval import half_width

Tell = Callable[[dict[str, Any], Policy], None]


@dataclass(frozen=True)
class Pair:
    """EEVDF and a policy, measured on the same seed."""

    seed: int
    policy: Policy
    baseline: Measurement
    measured: Measurement
    reward: float


@dataclass(frozen=True)
class Interval:
    """A mean and its confidence interval."""

    mean: float
    low: float
    high: float


def interval(values: Sequence[float], confidence: float) -> Interval:
    """The mean of values and Student's t-interval around it; the values are taken for independent."""
    mean, half = math.fsum(values) / len(values), half_width(values, confidence)
    return Interval(mean, mean - half, mean + half)


def compare(
    task: SchedEnv, lab: Measures, policy: Policy, names: Sequence[str], settings: HeldOut, tell: Tell, *, seeds: int
) -> list[Pair]:
    """Measures a policy and EEVDF on the held-out seeds: the same seeds in every run, for every agent.

    Args:
        task: The task the policy was found on, or a variant of it.
        lab: Measures.
        policy: The policy.
        names: The process names seen where it was found, in order of CPU time.
        settings: Whether names are bound anew.
        tell: Told of each measurement, in order.
        seeds: How many.

    Raises:
        SchedcpError: EEVDF can't be measured on a seed, or the host failed.
    """
    held_out = held_out_seeds(seeds)
    eevdf = Policy(EEVDF)

    def measure(policies: Sequence[Policy], baselines: Sequence[Measurement] | None) -> list[Measurement]:
        def told(place: int, measured: Measurement) -> None:
            baseline = baselines[place] if baselines else measured
            tell(_entry(task, held_out[place], policies[place], measured, baseline), policies[place])

        trials = [task.trial(policy, seed) for policy, seed in zip(policies, held_out, strict=True)]
        return lab.measure(trials, _in_order(told))

    baselines = measure([eevdf] * seeds, None)
    bound = [rebind(policy, names, nameable(one)) if settings.rebind_names else policy for one in baselines]
    measured = measure(bound, baselines)
    return [
        Pair(seed, own, baseline, one, reward(task.workload, one, baseline, task.objective))
        for seed, own, baseline, one in zip(held_out, bound, baselines, measured, strict=True)
    ]


def held_out_seeds(count: int) -> list[int]:
    """The workload seeds of a held-out test: the same in every run."""
    return [HELD_OUT_SEEDS + place for place in range(count)]


def variant_workloads(workload: Workload, settings: HeldOut) -> list[Workload]:
    """The held-out variants of a workload: other parameters at every scale, in no catalogue, so no agent sees them.

    Raises:
        BadInput: A variant has a parameter that the workload does not know, or is called like a workload.
    """
    return [_variant(workload, name, given) for name, given in settings.variants.get(workload.name, {}).items()]


def _variant(workload: Workload, name: str, parameters: Mapping[str, int | float | str]) -> Workload:
    full_name = f"{workload.name}-{name}"
    if full_name in catalogue.workload_names():
        raise BadInput(f"heldout.variants: {full_name} is a workload that agents can see: call the variant otherwise")
    known = set.union(*(set(own) for own in workload.scales.values()))
    if wrong := sorted(parameters.keys() - known):
        raise catalogue.unknown(f"parameter of {workload.name} in heldout.variants", wrong[0], known)
    scales = {scale: {**own, **parameters} for scale, own in workload.scales.items()}
    return dataclasses.replace(workload, name=full_name, scales=scales)


def variant_tasks(task: SchedEnv, settings: HeldOut) -> list[SchedEnv]:
    """The task on each held-out variant of its workload: for measuring and scoring, not for episodes."""
    tasks = []
    for workload in variant_workloads(task.workload, settings):
        tasks.append(copy.copy(task))
        tasks[-1].workload = workload
    return tasks


def rebind(policy: Policy, names: Sequence[str], new_names: Sequence[str]) -> Policy:
    """A policy for another workload seed, where processes have other names.

    A text tunable that begins no process's name there gets the name of the process that has the same rank by CPU
    time under EEVDF as the one it named: what an agent may see at every reset, and no more.

    Args:
        policy: The policy, as it was found.
        names: Process names where it was found, in order of CPU time.
        new_names: Process names under the other seed, in order of CPU time.
    """
    declared = catalogue.tunables_of(policy.source)
    texts = {tunable.name for tunable in declared if tunable.type is TunableType.TEXT}
    values: dict[str, object] = dict(policy.tunables)
    for name in texts & values.keys():
        text = str(values[name])
        rank = next((place for place, known in enumerate(names) if known.startswith(text)), None)
        is_there = any(known.startswith(text) for known in new_names)
        if text and not is_there and rank is not None and rank < len(new_names):
            values[name] = new_names[rank]
    return Policy(policy.name, policy.source, check_tunables(declared, values))


def metric_intervals(task: SchedEnv, pairs: Sequence[Pair], confidence: float) -> dict[str, Interval]:
    """Log improvement by metric, over the pairs where the policy's outcome is ok; empty with fewer than 2."""
    parts = [log_improvements(task.workload, pair.measured, pair.baseline) for pair in pairs if pair.measured.ok]
    if len(parts) < 2:
        return {}
    return {name: interval([part[name] for part in parts], confidence) for name in parts[0]}


def share_of_possible(task: SchedEnv, pairs: Sequence[Pair]) -> float | None:
    """How near the first weighted metric came to its bound, 1 being all that is possible; None without a bound."""
    found = [spec.share_of_possible(task.workload, pair.measured, task.objective) for pair in pairs]
    shares = [share for share in found if share is not None]
    return math.fsum(shares) / len(shares) if shares else None


def _entry(task: SchedEnv, seed: int, policy: Policy, measured: Measurement, baseline: Measurement) -> dict[str, Any]:
    if not baseline.ok:
        why = f"{baseline.outcome}: {baseline.message}"
        raise SchedcpError(f"EEVDF can't be measured on the held-out seed {seed}: {why}")
    if measured.outcome is Outcome.INFRA_FAULT:
        raise SchedcpError(f"the host failed a held-out trial: {measured.message}")
    gained = reward(task.workload, measured, baseline, task.objective)
    info = task.describe(policy, measured, baseline, seed)
    return record_entry("heldout", info, {"reward": gained}, measured.timings_s)


def _in_order(tell: Callable[[int, Measurement], None]) -> Callable[[int, Measurement], None]:
    """Passes measurements on in order of their index, however they come in."""
    waiting: dict[int, Measurement] = {}
    lock = threading.Lock()
    told = 0

    def done(index: int, measured: Measurement) -> None:
        nonlocal told
        with lock:
            waiting[index] = measured
            while told in waiting:
                tell(told, waiting.pop(told))
                told += 1

    return done
