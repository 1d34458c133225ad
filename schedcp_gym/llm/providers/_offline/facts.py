"""What is known of a workload: figures and process names, read out of an analysis in words or out of a profile.

Every figure is looked for by itself, so that one that is missing costs what follows from it and no more.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_N = r"(\d+(?:\.\d+)?)"
_SPAN = rf"{_N}(?:/{_N}/{_N})?"
_GROUP = re.compile(
    r"^(?P<tasks>\d+) (?P<label>.+?)(?: (?P<kind>processes|forks|threads))?"
    r"(?:, each its own name \((?P<names>[^)]*)\))?: (?P<share>\d+) %; "
    r"(?P<least>[\d.]+)(?:/(?P<median>[\d.]+)/(?P<most>[\d.]+))?; "
    r"(?P<run>\d+)/(?P<wait>\d+)/(?P<sleep>\d+); (?P<burst50>[\d.]+), (?P<burst99>[\d.]+); "
    r"(?P<wait50>[\d.]+), (?P<wait99>[\d.]+); (?P<preempted>[\d.]+)(?:; args (?P<args>.*))?$"
)
_OUTLIER = re.compile(rf"^- stands out: (?P<name>.+?), {_N} ms of CPU, {_N} x the median, {_N} % of all")
_OBJECTIVE = re.compile(r"(\w+) ([\d.e+-]+) \((less|more) is better\)")
_WAKE = re.compile(r"([^,>]+?) > ([^,>]+?) (\d+)(?=[,.]|$)")
#: What a line of the summary begins with; lines between are the rest of one that was broken.
_BEGINS = re.compile(
    r"^(Objective|CPUs busy|First|Last|Behaviour changes|Tasks:|Others|Wake-ups|Per second|Started by|- stands out"
    r"|\d+ .*[%:]|\(The tracer)"
)
#: Beginnings of metrics' names, by what they say.
_FINISH = ("makespan", "completion")
_LATE = ("p50_", "p90_", "p95_", "p99_", "p999_", "max_", "mean_")
NAME_CHARS = 15
#: Who computes as long as this at a time serves no requests.
LONG_BURST_MS = 25.0
#: Who serves others does so in bursts that are mostly shorter than this, and does not do most of the work.
SHORT_BURST_MS, MAIN_SHARE = 3.0, 0.4
#: Letters that a beginning of several names must have to be worth a rule.
LEAST_PREFIX = 4


@dataclass(frozen=True)
class Group:
    """Tasks that are alike."""

    label: str
    tasks: int
    share: float
    median_ms: float
    run: float
    wait: float
    sleep: float
    burst_p50_ms: float
    burst_p99_ms: float
    wait_p50_ms: float
    wait_p99_ms: float
    preempted_per_s: float
    own_names: bool = False
    kind: str = ""

    @property
    def name(self) -> str:
        """The beginning of its members' names: up to what differs, and at most what the kernel keeps."""
        return self.label.partition("#")[0][:NAME_CHARS]


@dataclass(frozen=True)
class Outlier:
    """A member of a group that had far more CPU time than the others."""

    name: str
    cpu_ms: float
    times: float
    share: float
    group: Group | None

    @property
    def is_named(self) -> bool:
        """Whether its name tells it from the others of its group."""
        return (
            self.group is None
            or (self.group.own_names or self.group.name != self.name[: len(self.group.name)])
            or ("#" in self.group.label and self.name[:NAME_CHARS] != self.group.name)
        )


@dataclass(frozen=True)
class Facts:
    """What is known.

    Attributes:
        figures: By name, with units where they have any; rules ask for them.
        goal: ``finish``, ``latency``, ``throughput``, ``mixed``, or empty where it is not known.
        names: Process names by their part: ``favour`` decides the result, ``hold_back`` may wait.
        groups: Groups of tasks, that with the most CPU time first.
        outliers: Who stands out.
        wakes: Who wakes whom how often.
        workload: What it is called, to find its results among others; no rule asks for it.
    """

    figures: Mapping[str, float] = field(default_factory=dict)
    goal: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    groups: tuple[Group, ...] = ()
    outliers: tuple[Outlier, ...] = ()
    wakes: tuple[tuple[str, str, int], ...] = ()
    workload: str = ""

    def __bool__(self) -> bool:
        return bool(self.groups or self.figures)


def goal_of(metrics: Iterable[str]) -> str:
    """What metrics of an objective ask for."""
    found = set()
    for metric in metrics:
        if any(word in metric for word in _FINISH):
            found.add("finish")
        elif metric.startswith(_LATE):
            found.add("latency")
        elif metric.endswith("_per_s"):
            found.add("throughput")
    return next(iter(found)) if len(found) == 1 else "mixed" if found else ""


def read_summary(text: str) -> Facts:
    """Facts from a summary in words; empty if it is none."""
    lines = _unbroken(text)
    groups, outliers = _groups(lines)
    wakes = tuple(
        (waker.strip(), wakee.strip(), int(count))
        for waker, wakee, count in _WAKE.findall(_line(lines, "Wake-ups: ").removeprefix("Wake-ups: "))
    )
    figures = _run_figures(lines)
    goals = _OBJECTIVE.findall(_line(lines, "Objective: "))
    best = re.search(rf"best possible {_N}", _line(lines, "Objective: "))
    if best and goals and float(goals[0][1]):
        figures["above_best_percent"] = 100 * (1 - float(best[1]) / float(goals[0][1]))
    goal = goal_of(name for name, _, _ in goals)
    figures |= _group_figures(groups, outliers, wakes)
    return Facts(figures, goal, _parts(groups, outliers, wakes), tuple(groups), tuple(outliers), wakes)


def _unbroken(text: str) -> list[str]:
    """Lines, those that a narrow window has broken put together again."""
    lines: list[str] = []
    for line in map(str.strip, text.splitlines()):
        if lines and line and not _BEGINS.match(line):
            lines[-1] += " " + line
        elif line:
            lines.append(line)
    return lines


def _line(lines: list[str], beginning: str) -> str:
    return next((line for line in lines if line.startswith(beginning)), "")


def _run_figures(lines: list[str]) -> dict[str, float]:
    figures: dict[str, float] = {}
    patterns = {
        "Last ": ("tail_percent", rf"\({_N} %\)"),
        "First ": ("start_percent", rf"\({_N} %\)"),
    }
    for beginning, (name, pattern) in patterns.items():
        if ends := re.search(pattern, _line(lines, beginning)):
            figures[name] = float(ends[1])
            if alone := re.search(rf"only {_N} of", _line(lines, beginning)):
                figures[f"{name.partition('_')[0]}_busy_cpus"] = float(alone[1])
    busy = _line(lines, "CPUs busy")
    for name, pattern in (
        ("all_busy_percent", rf"all busy {_N} %"),
        ("waiting_mean", rf"mean {_N}"),
        ("waiting_median", rf"median {_N}"),
        ("waiting_most", rf"most {_N}"),
    ):
        if found := re.search(pattern, busy):
            figures[name] = float(found[1])
    rates = _line(lines, "Per second")
    for name in ("sleeps", "preemptions", "migrations"):
        if found := re.search(rf"{_N} {name}", rates):
            figures[f"{name}_per_s"] = float(found[1])
    changes = _line(lines, "Behaviour changes")
    figures["changes"] = float(len(re.findall(r"at [\d.]+ s", changes)))
    # A change from the set-up to the work itself is none that a policy has to follow.
    if figures["changes"] == 1 and (at := re.search(rf"at {_N} s", changes)):
        start = re.search(rf"{_N} s", _line(lines, "First "))
        figures["changes"] = 0.0 if start and float(at[1]) <= float(start[1]) + 0.2 else 1.0
    return figures


def _groups(lines: list[str]) -> tuple[list[Group], list[Outlier]]:
    groups: list[Group] = []
    outliers: list[Outlier] = []
    for line in lines:
        if found := _GROUP.match(line):
            part = found.groupdict()
            groups.append(
                Group(
                    label=part["label"],
                    tasks=int(part["tasks"]),
                    share=float(part["share"]) / 100,
                    median_ms=float(part["median"] or part["least"]),
                    run=float(part["run"]) / 100,
                    wait=float(part["wait"]) / 100,
                    sleep=float(part["sleep"]) / 100,
                    burst_p50_ms=float(part["burst50"]),
                    burst_p99_ms=float(part["burst99"]),
                    wait_p50_ms=float(part["wait50"]),
                    wait_p99_ms=float(part["wait99"]),
                    preempted_per_s=float(part["preempted"]),
                    own_names=bool(part["names"]),
                    kind=part["kind"] or "",
                )
            )
        elif found := _OUTLIER.match(line):
            cpu_ms, times, share = map(float, found.groups()[1:])
            outliers.append(Outlier(found["name"], cpu_ms, times, share / 100, groups[-1] if groups else None))
    return groups, sorted(outliers, key=lambda one: -one.share)


def _group_figures(
    groups: list[Group], outliers: list[Outlier], wakes: tuple[tuple[str, str, int], ...]
) -> dict[str, float]:
    """What the groups come to: of those that work, of those that mostly sleep, of who stands out."""
    figures: dict[str, float] = {}
    if groups:
        main = groups[0]
        figures |= {
            "main_share_percent": round(100 * main.share),
            "main_tasks": main.tasks,
            "main_wait_percent": round(100 * main.wait),
            "main_sleep_percent": round(100 * main.sleep),
            "main_burst_p50_ms": main.burst_p50_ms,
            "main_burst_p99_ms": main.burst_p99_ms,
            "main_wait_p99_ms": main.wait_p99_ms,
            "main_median_ms": main.median_ms,
        }
    hogs = [one for one in groups if is_hog(one)]
    sleepers = [one for one in groups if is_sleeper(one)]
    figures["hogs_share_percent"] = round(100 * sum(one.share for one in hogs))
    figures["sleepers"] = sum(one.tasks for one in sleepers)
    if sleepers:
        figures["sleepers_wait_p99_ms"] = max(one.wait_p99_ms for one in sleepers)
        figures["sleepers_burst_p99_ms"] = max(one.burst_p99_ms for one in sleepers)
    if outliers:
        figures |= {
            "outlier_times": outliers[0].times,
            "outlier_share_percent": round(100 * outliers[0].share),
            "outlier_is_named": float(outliers[0].is_named),
        }
    total = sum(count for _, _, count in wakes)
    if total:
        alike = sum(count for waker, wakee, count in wakes if waker == wakee)
        figures["wakes_among_alike_percent"] = round(100 * alike / total)
        figures["timer_wakes_percent"] = round(100 * sum(c for waker, _, c in wakes if waker == "timer") / total)
    return figures


def is_hog(one: Group) -> bool:
    """Whether a group wants the CPU all the time, for longer than any request takes."""
    return one.share >= 0.1 and one.sleep <= 0.1 and one.burst_p99_ms >= LONG_BURST_MS


def is_sleeper(one: Group) -> bool:
    """Whether a group mostly waits for something to do, does little each time, and is no mere set-up."""
    return one.sleep >= 0.3 and one.burst_p50_ms <= SHORT_BURST_MS and one.burst_p99_ms < LONG_BURST_MS


def _parts(groups: list[Group], outliers: list[Outlier], wakes: tuple[tuple[str, str, int], ...]) -> dict[str, str]:
    """Who decides the result, who serves, who may wait: by name."""
    names: dict[str, str] = {}
    if outliers and outliers[0].is_named:
        names["outlier"] = outliers[0].name[:NAME_CHARS]
    hogs = sorted((one for one in groups if is_hog(one)), key=lambda one: -one.share)
    if hogs:
        names["hog"] = hogs[0].name
    woken: dict[str, int] = {}
    for _, wakee, count in wakes:
        woken[wakee] = woken.get(wakee, 0) + count
    servers = [one for one in groups if one.label in woken and one not in hogs and one.burst_p50_ms <= SHORT_BURST_MS]
    servers = [one for one in servers if one.share < MAIN_SHARE and one.sleep >= 0.1]
    if servers:
        servers.sort(key=lambda one: -woken[one.label])
        names["server"] = _common(servers[0].name, [one.name for one in servers[1:]])
    return {part: name for part, name in names.items() if name}


def _common(name: str, others: list[str]) -> str:
    """The name, or what it has in common with its partners where that still is a word of its own."""
    for other in others:
        pairs = enumerate(zip(name, other, strict=False))
        length = next((place for place, (a, b) in pairs if a != b), min(len(name), len(other)))
        if length >= LEAST_PREFIX:
            name = name[:length]
    return name
