"""Stage 4: no worse than a set share of EEVDF on short loads, so that nothing harmful gets through as "safe"."""

import functools
import time
from pathlib import Path

import yaml
from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from schedcp_gym.control.verifier.report import Figure, Stage, StageReport
from schedcp_gym.lab import Lab, catalogue
from schedcp_gym.spec import EEVDF, MachineSpec, Measurement, Outcome, Policy, Trial
from schedcp_gym.spec.objective import improvement

LIMITS = Path(__file__).with_suffix(".yaml")


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Limit:
    """The least improvement ratio over EEVDF that a metric of a workload must reach.

    Attributes:
        workload: Which one.
        seed: Its seed.
        metric: Which of its metrics.
        least: Smallest allowed ratio; 1 is EEVDF.
        why: What a smaller one means.
    """

    workload: str
    seed: int
    metric: str
    least: float = Field(gt=0, lt=1)
    why: str


@functools.cache
def limits() -> tuple[Limit, ...]:
    """Return the declared limits."""
    return TypeAdapter(tuple[Limit, ...]).validate_python(yaml.safe_load(LIMITS.read_text()))


def check_performance(policy: Policy, lab: Lab, spec: MachineSpec) -> StageReport:
    """Measure a policy against EEVDF on each declared load.

    Args:
        policy: What to measure.
        lab: Measures; EEVDF's own measurements come from its cache after the first time.
        spec: The machine.

    Returns:
        A figure for each limit: the improvement ratio, 1 is EEVDF. The first trial that is not ``ok`` is the evidence.
    """
    began = time.monotonic()
    loads = list(dict.fromkeys((limit.workload, limit.seed) for limit in limits()))
    eevdf = catalogue.load_policy(EEVDF)
    trials = [
        Trial(each, catalogue.load_workload(workload), spec, seed=seed)
        for workload, seed in loads
        for each in (policy, eevdf)
    ]
    measured = lab.measure(trials)
    pairs = {load: (measured[2 * at], measured[2 * at + 1]) for at, load in enumerate(loads)}
    figures = tuple(_figure(limit, *pairs[limit.workload, limit.seed]) for limit in limits())
    timings, guest_s = {"total": time.monotonic() - began}, sum(mine.job_s or 0.0 for mine, _ in pairs.values())
    say = functools.partial(StageReport, Stage.PERFORMANCE, figures=figures, timings_s=timings, guest_s=guest_s)
    for load, (mine, baseline) in pairs.items():
        if bad := next((each for each in (baseline, mine) if not each.ok), None):
            fault = bad is baseline or bad.outcome is Outcome.INFRA_FAULT
            summary = f"{load[0]}: {bad.outcome.value}: {bad.message}"
            return say(False, summary, evidence=bad.log[-2000:], log=bad.log, infra_fault=fault)
    worst = min(figures, key=lambda figure: (figure.value or 0.0) / figure.limit)
    summary = f"{worst.case}: {worst.name} {worst.value:.2f} (at least {worst.limit:g}; 1 is EEVDF)"
    if all(figure.kept for figure in figures):
        return say(True, f"{len(figures)} figures kept; nearest to its limit: {summary}")
    return say(False, summary, evidence="\n".join(figure.why for figure in figures if not figure.kept))


def _figure(limit: Limit, mine: Measurement, baseline: Measurement) -> Figure:
    value = None
    if mine.ok and baseline.ok:
        workload = catalogue.load_workload(limit.workload)
        value = improvement(workload, limit.metric, mine.metrics[limit.metric], baseline.metrics[limit.metric])
    return Figure(limit.workload, f"{limit.metric}_improvement", value, limit.least, at_least=True, why=limit.why)
