"""Run the battery on a policy and report the results."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from schedcp_gym.control.verifier.behaviour.battery_job import TOPOLOGY_BATTERY, Ran, build_job, read_result
from schedcp_gym.control.verifier.behaviour.case import Case, load_cases, on_machine, split
from schedcp_gym.control.verifier.behaviour.derived import derive
from schedcp_gym.control.verifier.behaviour.names import task_names
from schedcp_gym.control.verifier.reference import slowdown
from schedcp_gym.control.verifier.report import Figure, Stage, StageReport
from schedcp_gym.lab import Lab
from schedcp_gym.lab.attempts import run_job
from schedcp_gym.machine import Machine
from schedcp_gym.spec import MachineSpec, Policy

#: Machines that share the battery, at once.
MACHINES = 2
EVIDENCE_LINES = 16
EVIDENCE_FIGURES = 6


def check_behaviour(
    policy: Policy, lab: Lab, spec: MachineSpec, compiled: bytes | None, *, cases: Sequence[Case] | None = None
) -> StageReport:
    """Run the battery in parallel micro-VMs, and compare each figure with its limit.

    On the virtual clock the report, but for its timings, is a pure function of its arguments.

    Args:
        policy: What to check.
        lab: Where.
        spec: The machine.
        compiled: The policy's object; None for EEVDF.
        cases: Cases to run; all of them if None (``load_cases(smoke=True)``: the short battery). Those that make no
            sense on the machine are left out.

    Raises:
        SchedcpError: Image or QEMU is missing: nothing can be said. A bad policy is a report.
    """
    began = time.monotonic()
    cases = on_machine(spec, load_cases() if cases is None else cases)
    machine = lab.machine(spec)
    names = task_names(policy, compiled)
    shares = split(cases, MACHINES)

    def run(share: list[Case]) -> Ran:
        return _run(machine, share, names, policy, compiled)

    with ThreadPoolExecutor(len(shares), thread_name_prefix="battery") as pool:
        try:
            ran = list(pool.map(run, shares))
        except BaseException:
            machine.stop()  # Ctrl-C must not wait for what runs
            raise
    return _report(cases, ran, time.monotonic() - began)


def _run(machine: Machine, share: list[Case], names: list[str], policy: Policy, compiled: bytes | None) -> Ran:
    job = build_job(
        share,
        names,
        policy,
        compiled,
        slowdown=slowdown(machine.spec),
        topology_battery=lambda: machine.image.extra(TOPOLOGY_BATTERY),
    )
    return read_result(share, run_job(machine, job))


def _report(cases: Sequence[Case], ran: Sequence[Ran], total_s: float) -> StageReport:
    faults = [one for one in ran if one.fault]
    figures = _figures(cases, ran)
    broken = [figure for figure in figures if not figure.kept]
    lines = [line for one in faults for line in (_fault_line(one), *one.evidence.splitlines())]
    lines += [f"{_told(figure)}: {figure.why}" for figure in broken[:EVIDENCE_FIGURES]]
    for name in dict.fromkeys(figure.case for figure in broken[:EVIDENCE_FIGURES]):
        lines += [f"{name}: {line}" for one in ran for line in one.told.get(name, "").splitlines()[:2]]
    return StageReport(
        stage=Stage.BEHAVIOUR,
        passed=not faults and not broken,
        summary=_summary(faults, broken, figures),
        figures=figures,
        evidence="\n".join(line for line in lines[:EVIDENCE_LINES] if line),
        log="\n\n".join(one.log for one in ran),
        timings_s={"total": total_s},
        infra_fault=any(one.host_fault for one in ran),
        guest_s=sum(one.guest_s for one in ran),
    )


def _figures(cases: Sequence[Case], ran: Sequence[Ran]) -> tuple[Figure, ...]:
    """Return the figures of the cases that were begun: an ejected policy did not reach the others."""
    values = {name: found for one in ran for name, found in one.figures.items()}
    cut_short = any(one.fault for one in ran)
    begun = set(values) | {one.stopped_in for one in ran}
    figures: list[Figure] = []
    for case in cases:
        if case.derived:
            figures += case.judge(derive(ran)) if not cut_short else ()
        elif case.name in begun or not cut_short:
            figures += case.judge(values.get(case.name, {}))
    return tuple(figures)


def _fault_line(ran: Ran) -> str:
    return f"{ran.stopped_in}: {ran.fault}" if ran.stopped_in else ran.fault


def _told(figure: Figure) -> str:
    value = "none" if figure.value is None else f"{figure.value:g}"
    return f"{figure.case}: {figure.name} {value} ({'at least' if figure.at_least else 'at most'} {figure.limit:g})"


def _summary(faults: Sequence[Ran], broken: Sequence[Figure], figures: Sequence[Figure]) -> str:
    if faults:
        return _fault_line(faults[0])
    if broken:
        more = f", and {len(broken) - 1} more" if len(broken) > 1 else ""
        return _told(broken[0]) + more
    nearest = max((figure for figure in figures if not figure.at_least), key=_nearness, default=None)
    return f"{len(figures)} figures kept" + (f"; nearest to its limit: {_told(nearest)}" if nearest else "")


def _nearness(figure: Figure) -> float:
    """Return how near a largest value is to its limit: 1 is at it; 0 where the limit is 0."""
    return (figure.value or 0.0) / figure.limit if figure.limit else 0.0
