"""Compare the best policy with EEVDF on workload seeds that the search never used."""

import copy
import dataclasses
import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schedcp_gym import spec
from schedcp_gym.envs.base import HELD_OUT_SEEDS, Measures, SchedEnv
from schedcp_gym.envs.observation import log_improvements, nameable
from schedcp_gym.envs.wrappers import record_entry
from schedcp_gym.lab import catalogue
from schedcp_gym.run.lines import Line, measurement_of
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

OnMeasured = Callable[[dict[str, Any], Policy], None]


@dataclass(frozen=True)
class HeldOutPair:
    """Measurements of EEVDF and of a policy on the same seed."""

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
    """Return the mean of independent values and its Student's t-interval."""
    mean, half = math.fsum(values) / len(values), half_width(values, confidence)
    return Interval(mean, mean - half, mean + half)


def compare(
    task: SchedEnv,
    lab: Measures,
    policy: Policy,
    names: Sequence[str],
    settings: HeldOut,
    tell: OnMeasured,
    *,
    seeds: int,
) -> list[HeldOutPair]:
    """Measure a policy and EEVDF on the held-out seeds, which are the same in every run, for every agent.

    Args:
        task: The task of the search, or a variant of it.
        lab: The lab that measures.
        policy: The policy.
        names: Process names in the search, in order of CPU time.
        settings: Settings of the test; they say whether process names are rebound.
        tell: Called with each measurement, in order.
        seeds: Number of seeds.

    Raises:
        SchedcpError: EEVDF failed on a seed, or the host failed.
    """
    held_out = held_out_seeds(seeds)
    eevdf = Policy(EEVDF)

    def measure(policies: Sequence[Policy], baselines: Sequence[Measurement] | None) -> list[Measurement]:
        def show(place: int, measured: Measurement) -> None:
            baseline = baselines[place] if baselines else measured
            tell(_entry(task, held_out[place], policies[place], measured, baseline), policies[place])

        trials = [task.trial(policy, seed) for policy, seed in zip(policies, held_out, strict=True)]
        return lab.measure(trials, _in_order(show))

    baselines = measure([eevdf] * seeds, None)
    bound = [rebind(policy, names, nameable(one)) if settings.rebind_names else policy for one in baselines]
    measured = measure(bound, baselines)
    return [
        HeldOutPair(seed, own, baseline, one, reward(task.workload, one, baseline, task.objective))
        for seed, own, baseline, one in zip(held_out, bound, baselines, measured, strict=True)
    ]


def held_out_seeds(count: int) -> list[int]:
    """Return the workload seeds of a held-out test, which are the same in every run."""
    return [HELD_OUT_SEEDS + place for place in range(count)]


def names_seen(lines: Iterable[Line], workload_seed: int) -> list[str]:
    """Return the process names in the search's baseline on a workload seed, in order of CPU time."""
    for line in lines:
        if line["kind"] == "baseline" and line["workload_seed"] == workload_seed:
            return nameable(measurement_of(line))
    return []


def variant_workloads(workload: Workload, settings: HeldOut) -> list[Workload]:
    """Return the held-out variants of a workload: other parameters at every scale. They are hidden from agents.

    Raises:
        BadInput: A variant has an unknown parameter, or the name of a workload.
    """
    return [_variant(workload, name, given) for name, given in settings.variants.get(workload.name, {}).items()]


def _variant(workload: Workload, name: str, parameters: Mapping[str, int | float | str]) -> Workload:
    full_name = f"{workload.name}-{name}"
    if full_name in catalogue.workload_names():
        raise BadInput(f"heldout.variants: {full_name} is a workload that agents can see: rename the variant")
    known = set.union(*(set(own) for own in workload.scales.values()))
    if wrong := sorted(parameters.keys() - known):
        raise catalogue.unknown(f"parameter of {workload.name} in heldout.variants", wrong[0], known)
    scales = {scale: {**own, **parameters} for scale, own in workload.scales.items()}
    return dataclasses.replace(workload, name=full_name, scales=scales)


def variant_tasks(task: SchedEnv, settings: HeldOut) -> list[SchedEnv]:
    """Return copies of a task on the held-out variants of its workload, for measuring and scoring only."""
    tasks = []
    for workload in variant_workloads(task.workload, settings):
        tasks.append(copy.copy(task))
        tasks[-1].workload = workload
    return tasks


def rebind(policy: Policy, names: Sequence[str], new_names: Sequence[str]) -> Policy:
    """Return a policy for another workload seed, under which processes have other names.

    If a text tunable is not the beginning of any process name there, it gets the name of the process with the same rank
    by CPU time under EEVDF. Agents can see these names at every reset.

    Args:
        policy: The policy of the search.
        names: Process names in the search, in order of CPU time.
        new_names: Process names under the other seed, in order of CPU time.

    Example:
        A policy found with ``favour=ember``, where ``ember`` used the second most CPU time, gets ``favour=basalt`` on a
        seed with the names ``quartz``, ``basalt``, ``onyx``.
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


def metric_intervals(task: SchedEnv, pairs: Sequence[HeldOutPair], confidence: float) -> dict[str, Interval]:
    """Return the log improvement of each metric over the pairs with outcome ok; empty with fewer than 2 such pairs."""
    parts = [log_improvements(task.workload, pair.measured, pair.baseline) for pair in pairs if pair.measured.ok]
    if len(parts) < 2:
        return {}
    return {name: interval([part[name] for part in parts], confidence) for name in parts[0]}


def share_of_possible(task: SchedEnv, pairs: Sequence[HeldOutPair]) -> float | None:
    """Return the share of the best possible value that the first metric reached, 0 to 1; None without a bound."""
    found = [spec.share_of_possible(task.workload, pair.measured, task.objective) for pair in pairs]
    shares = [share for share in found if share is not None]
    return math.fsum(shares) / len(shares) if shares else None


def _entry(task: SchedEnv, seed: int, policy: Policy, measured: Measurement, baseline: Measurement) -> dict[str, Any]:
    if not baseline.ok:
        why = f"{baseline.outcome}: {baseline.message}"
        raise SchedcpError(f"EEVDF failed on the held-out seed {seed}: {why}")
    if measured.outcome is Outcome.INFRA_FAULT:
        raise SchedcpError(f"the host failed during a held-out trial: {measured.message}")
    gained = reward(task.workload, measured, baseline, task.objective)
    info = task.describe(policy, measured, baseline, seed)
    return record_entry("heldout", info, {"reward": gained}, measured.timings_s)


def _in_order(tell: Callable[[int, Measurement], None]) -> Callable[[int, Measurement], None]:
    """Return a function that accepts measurements in any order and passes them to ``tell`` in order of their index."""
    waiting: dict[int, Measurement] = {}
    lock = threading.Lock()
    passed = 0

    def done(index: int, measured: Measurement) -> None:
        nonlocal passed
        with lock:
            waiting[index] = measured
            while passed in waiting:
                tell(passed, waiting.pop(passed))
                passed += 1

    return done
