"""A share of the battery as a machine's job, and the reader of the job's result."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schedcp_gym.control.verifier.behaviour.case import Case, duration_s
from schedcp_gym.lab.trial_job import read_report, tunables_file
from schedcp_gym.machine import Ending, Job, JobResult
from schedcp_gym.spec import Policy

RUN_SCRIPT = Path(__file__).with_name("run-battery.sh")
#: Runs before it where a case's program is brought by the job.
TOPOLOGY_SCRIPT = Path(__file__).with_name("run-topology.sh")
#: Name of that program, among the image's extras and in the job.
TOPOLOGY_BATTERY = "topology-battery"
#: Guest seconds beyond what the cases take with a good policy: to load it, and for one that makes them last longer.
SPARE_S = 20.0
LOG_LIMIT = 20_000
#: Numbers in scx_run's report that are about the policy.
LOADER = ("timeout_ms", "takes_all", "memory_kib", "entries")
TELLING = ("sched_ext", "stall", "BUG", "WARNING", "rcu:", "lockup", "hung task")


@dataclass(frozen=True)
class Ran:
    """The results of a share of the battery.

    Attributes:
        figures: Values by case and name.
        told: What cases printed beside their figures, such as which task waited longest, by case.
        ended: Cases that ran to their end.
        stopped_in: The case that was on when the policy was ejected, or the machine stopped; empty when none was.
        fault: Why the policy fails whatever its figures are; empty when it does not.
        evidence: The kernel's lines that show the fault.
        events: sched_ext's event counters over the cases under one load.
        loader: What else the loader reports of the policy; empty when there is none.
        host_fault: Whether the host failed: nothing else counts.
        log: All there is.
        guest_s: Guest seconds it took.
    """

    figures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    told: Mapping[str, str] = field(default_factory=dict)
    ended: frozenset[str] = frozenset()
    stopped_in: str = ""
    fault: str = ""
    evidence: str = ""
    events: Mapping[str, int] = field(default_factory=dict)
    loader: Mapping[str, int] = field(default_factory=dict)
    host_fault: bool = False
    log: str = ""
    guest_s: float = 0.0


def build_job(
    cases: Sequence[Case],
    names: Sequence[str],
    policy: Policy,
    compiled: bytes | None,
    *,
    slowdown: float = 1.0,
    topology_battery: Callable[[], bytes] | None = None,
) -> Job:
    """Return the job that runs some cases.

    Args:
        cases: The cases, in order.
        names: What tasks may be called.
        policy: The policy, for the values of its tunables.
        compiled: Its object; None for EEVDF.
        slowdown: How much slower the machine's CPUs are.
        topology_battery: Returns the program of the cases that travel with the job; called only if there are any.
    """
    files = {
        "run": RUN_SCRIPT.read_bytes(),
        "cases": _listed(case.name for case in cases if not case.loads),
        "loading-cases": _listed(case.name for case in cases if case.loads),
        "names": _listed(names),
    }
    travelling = [case.name for case in cases if case.travels]
    if travelling and topology_battery is not None:
        files |= {"run-battery": files["run"], "run": TOPOLOGY_SCRIPT.read_bytes()}
        files |= {"topology-cases": _listed(travelling), TOPOLOGY_BATTERY: topology_battery()}
    if compiled is not None:
        files |= {"policy.bpf.o": compiled, "tunables": tunables_file(policy)}
    return Job(files, duration_s(cases) + SPARE_S * slowdown)


def _listed(words: Any) -> bytes:
    return "".join(f"{word}\n" for word in words).encode()


def read_result(cases: Sequence[Case], result: JobResult) -> Ran:
    """Read a job's result. Whatever a guest leaves behind is an answer, never an exception."""
    ended, stopped_in = _progress(result.text("battery/cases"))
    figures = {case.name: _figures(result.text(f"battery/{case.name}.figures")) for case in cases}
    report = read_report(result) or {}
    fault, evidence = _fault(cases, result, report)
    return Ran(
        figures={name: values for name, values in figures.items() if name in ended},
        told={case.name: result.text(f"battery/{case.name}.err").strip() for case in cases},
        ended=ended,
        stopped_in=stopped_in if fault else "",
        fault=fault,
        evidence=evidence,
        events=_events(report.get("events")),
        loader={name: report[name] for name in LOADER if isinstance(report.get(name), int) and report.get("ops")},
        host_fault=result.says_nothing,
        log=_log(cases, result, report),
        guest_s=result.job_s or 0.0,
    )


def _events(found: object) -> dict[str, int]:
    if not isinstance(found, dict):
        return {}
    return {str(name): count for name, count in found.items() if isinstance(count, int) and count}


def _progress(text: str) -> tuple[frozenset[str], str]:
    """Return the cases that ended by themselves, and the one that had only begun."""
    ended, on = set(), ""
    for line in text.splitlines():
        words = line.split()
        if len(words) != 4:
            continue
        if words[0] == "begin":
            on = words[1]
        elif words[0] == "end":
            on = ""
            if words[3] == "0":
                ended.add(words[1])
    return frozenset(ended), on


def _figures(text: str) -> dict[str, float]:
    values = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        try:
            number = float(value)
        except ValueError:
            continue
        if math.isfinite(number):
            values[name] = number
    return values


def _fault(cases: Sequence[Case], result: JobResult, report: dict[str, Any]) -> tuple[str, str]:
    """Return why the policy fails whatever its figures are, and the lines that show it."""
    if result.ending is Ending.DEADLINE:
        return "the battery was not over in time: tasks do not progress", result.console[-1000:]
    if result.ending is not Ending.EXITED:
        return f"the machine did not survive: {result.message or result.ending}", result.console[-1000:]
    if result.oom_kills:
        return f"out of memory: the guest's kernel killed {result.oom_kills} process(es)", result.console[-1000:]
    if not report and all(case.loads for case in cases):
        return "", ""
    if not report:
        return f"the battery left no report: {result.text('stderr').strip()[-300:]}", ""
    if report.get("outcome") == "ok":
        return "", ""
    lines = [line for line in str(report.get("kernel_log", "")).splitlines() if any(word in line for word in TELLING)]
    if not lines:
        lines = result.text("verifier.log").splitlines()[-5:]
    return f"{report.get('outcome')}: {report.get('message')}", "\n".join(lines[:6])


def _log(cases: Sequence[Case], result: JobResult, report: dict[str, Any]) -> str:
    parts = [result.text("battery/cases")]
    for case in cases:
        told = (result.text(f"battery/{case.name}.figures") + result.text(f"battery/{case.name}.err")).strip()
        if told:
            parts.append(f"[{case.name}]\n{told}")
    parts += [json.dumps(_events(report.get("events")), sort_keys=True), str(report.get("kernel_log", ""))]
    parts += [result.text("stderr"), result.console[-2000:]]
    return "\n".join(part.strip() for part in parts if part.strip())[-LOG_LIMIT:]
