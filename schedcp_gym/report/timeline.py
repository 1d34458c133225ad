"""Record when each task ran on each CPU: run a trial again, and record every switch."""

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schedcp_gym.control.analysis.guest_job import ending, fault, printable, watch
from schedcp_gym.lab import Lab
from schedcp_gym.spec import SchedcpError, Trial

TOOL = Path(__file__).with_name("guest") / "switches.py"
IDLE = 0
#: Guest seconds for writing the switches.
EXTRA_S = 120.0


@dataclass(frozen=True)
class Slice:
    """A period in which a task ran on a CPU, in microseconds from the start."""

    cpu: int
    begins_us: float
    ends_us: float
    pid: int
    name: str

    @property
    def lasts_us(self) -> float:
        """Return the length in microseconds."""
        return self.ends_us - self.begins_us


@dataclass(frozen=True)
class Timeline:
    """The slices of a run in order of time. Time begins with the first switch.

    Attributes:
        label: Name of the policy, with the run's name if there are several runs.
        cpus: Number of CPUs of the machine.
        slices: All slices, without those of the idle task.
    """

    label: str
    cpus: int
    slices: tuple[Slice, ...]

    @property
    def lasts_us(self) -> float:
        """Return the end of the last slice in microseconds."""
        return max((one.ends_us for one in self.slices), default=0.0)

    def middle(self, window_us: float) -> list[Slice]:
        """Return the slices in a section from the middle of the run, cut to it. Time begins with the section."""
        begin = max(0.0, (self.lasts_us - window_us) / 2)
        return [
            Slice(one.cpu, max(0.0, one.begins_us - begin), min(window_us, one.ends_us - begin), one.pid, one.name)
            for one in self.slices
            if one.ends_us > begin and one.begins_us < begin + window_us
        ]


def record_timeline(lab: Lab, trial: Trial, label: str) -> Timeline:
    """Run a trial while perf records each switch. That costs guest time, so the run is not a measurement.

    Args:
        lab: Runs the trial.
        trial: The trial.
        label: Name of the timeline.

    Raises:
        BadInput: The policy does not compile.
        SchedcpError: The trial did not run to its end, the host failed, or nothing was recorded.
    """
    watched = watch(lab, trial, "watch_tool.py", {"tool.py": TOOL.read_bytes()}, EXTRA_S)
    told = watched.json("tool.json")
    why = ending(watched) or fault(watched) or (printable(str(told.get("note", ""))) if told else "")
    if told is None or why:
        last = printable(watched.result.text("watch.err"))[-300:]
        raise SchedcpError(f"no timeline of {trial.policy.name} on {trial.workload.name}: {why or last}")
    return Timeline(label, trial.machine.cpus, tuple(read_switches(watched.result.text("switches.tsv"))))


def read_switches(text: str) -> list[Slice]:
    """Return the slices between switches: each task keeps its CPU until the next switch there.

    Args:
        text: Lines of CPU, time in microseconds, process id and name, separated by tabs.

    Raises:
        SchedcpError: The text has another form.
    """
    switches: dict[int, list[tuple[float, int, str]]] = {}
    try:
        for line in text.splitlines():
            cpu, at_us, pid, name = line.split("\t", 3)
            switches.setdefault(int(cpu), []).append((float(at_us), int(pid), printable(name)))
    except ValueError:
        raise SchedcpError("the recorded switches can't be read") from None
    start = min((own[0][0] for own in switches.values()), default=0.0)
    found = [
        Slice(cpu, begins - start, ends - start, pid, name)
        for cpu, own in switches.items()
        for (begins, pid, name), (ends, _pid, _name) in itertools.pairwise(sorted(own))
        if pid != IDLE and ends > begins
    ]
    return sorted(found, key=lambda one: (one.begins_us, one.cpu))


def trace(timelines: Sequence[Timeline]) -> str:
    """Return the timelines as JSON in Chrome's trace event format, which https://ui.perfetto.dev opens.

    There is a process for each timeline and a track for each CPU.
    """
    events = [event for number, line in enumerate(timelines, 1) for event in _events(number, line)]
    return json.dumps({"displayTimeUnit": "ms", "traceEvents": events}, separators=(",", ":")) + "\n"


def _events(number: int, line: Timeline) -> Iterable[dict[str, Any]]:
    yield {"ph": "M", "name": "process_name", "pid": number, "args": {"name": line.label}}
    for cpu in range(line.cpus):
        yield {"ph": "M", "name": "thread_name", "pid": number, "tid": cpu, "args": {"name": f"CPU {cpu}"}}
    for one in line.slices:
        yield {
            "ph": "X",
            "cat": "sched",
            "name": one.name,
            "pid": number,
            "tid": one.cpu,
            "ts": round(one.begins_us, 3),
            "dur": round(one.lasts_us, 3),
            "args": {"pid": one.pid},
        }
