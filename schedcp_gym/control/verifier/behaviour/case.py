"""The battery's cases: a program in C and a declaration beside it, found by looking."""

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from schedcp_gym.control.verifier.reference import Parts, busy_speed, parts_of, slowdown
from schedcp_gym.control.verifier.report import Figure
from schedcp_gym.paths import BATTERY, TOPOLOGY_BATTERY
from schedcp_gym.spec import MachineSpec, SchedcpError

CASES = BATTERY / "cases"
#: Cases for machines whose CPUs share caches in groups, threads or memory: one program, which travels with the job.
#: When the guest's image is made anew for another reason, they move into the image, and the two become one.
TOPOLOGY_CASES = TOPOLOGY_BATTERY / "cases"
#: Limits that follow from the machine, by case and figure.
ELSEWHERE = Path(__file__).with_name("elsewhere.yaml")


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Limit:
    """The limit of one figure.

    Attributes:
        limit: The largest value allowed, or the smallest.
        why: What a value beyond it means, and what usually causes it.
        at_least: Whether the limit is the smallest value allowed.
    """

    limit: float
    why: str
    at_least: bool = False


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Case:
    """One case of the battery.

    Attributes:
        name: The program's name, and the declaration's.
        about: What it tries, in a sentence.
        figures: Limits by the figure's name, in the order of the report.
        duration_s: Guest seconds it takes with a good policy.
        loads: Whether it loads the policy itself, instead of running with others under one load.
        last: Whether it comes after the others of its load, when the policy has run for long.
        smoke: Whether it belongs to the short battery.
        derived: Whether its figures come from the loader's report of all others: it has no program.
        needs: What a machine must have at least for the case to make sense.
        travels: Whether its program is brought by the job, instead of lying in the image.
    """

    name: str
    about: str
    figures: dict[str, Limit]
    duration_s: float = Field(default=0.0, ge=0)
    loads: bool = False
    last: bool = False
    smoke: bool = False
    derived: bool = False
    needs: Parts = Parts()
    travels: bool = False

    def judge(self, values: Mapping[str, float]) -> tuple[Figure, ...]:
        """Return the figures with their limits. A figure without a value does not keep its limit."""
        return tuple(
            Figure(self.name, name, values.get(name), limit.limit, limit.at_least, limit.why)
            for name, limit in self.figures.items()
        )


def load_cases(*, smoke: bool = False) -> tuple[Case, ...]:
    """Load all cases, or those of the short battery: first those of every machine, then the others, by name.

    Raises:
        SchedcpError: A declaration is wrong, or lacks its program; the text names the file.
    """
    paths = [(path, folder is TOPOLOGY_CASES) for folder in (CASES, TOPOLOGY_CASES) for path in folder.glob("*.yaml")]
    cases = [_load(path, travels) for path, travels in sorted(paths, key=lambda each: (each[1], each[0]))]
    return tuple(case for case in cases if case.smoke or not smoke)


def _load(path: Path, travels: bool) -> Case:
    try:
        declared = {"name": path.stem, "travels": travels, **yaml.safe_load(path.read_text())}
        case = TypeAdapter(Case).validate_python(declared)
    except (yaml.YAMLError, ValidationError, TypeError) as error:
        raise SchedcpError(f"{path}: {error}") from None
    if not case.derived and not path.with_suffix(".c").is_file():
        raise SchedcpError(f"{path}: there is no {path.stem}.c beside it")
    return case


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Elsewhere:
    """Limits that differ on other machines than that of 2 CPUs; the YAML file explains why.

    Attributes:
        instructions: Those that are a number of instructions; the fixed part, by case and figure.
        one_cpu: Those that are a part of one CPU, given as a part of a fair share of all; the number of other tasks.
        work: Those of work that takes longer beside a busy sibling or with remote memory; figures by case.
        replaced: Cases that another one stands in for where that one runs, by name.
    """

    instructions: dict[str, dict[str, float]]
    one_cpu: dict[str, dict[str, float]]
    work: dict[str, list[str]]
    replaced: dict[str, str]

    def limit(self, case: str, figure: str, declared: Limit, spec: MachineSpec) -> float:
        """Return what a limit is on a machine."""
        limit = declared.limit
        if (fixed := self.instructions.get(case, {}).get(figure)) is not None:
            return fixed + slowdown(spec) * (limit - fixed)
        if (others := self.one_cpu.get(case, {}).get(figure)) is not None:
            return limit * min(1.0, 2 / (2 + others) * (spec.cpus + others) / spec.cpus)
        if figure in self.work.get(case, ()):
            return limit * busy_speed(spec) if declared.at_least else limit / busy_speed(spec)
        return limit


@functools.cache
def _elsewhere() -> Elsewhere:
    return TypeAdapter(Elsewhere).validate_python(yaml.safe_load(ELSEWHERE.read_text()))


def on_machine(spec: MachineSpec, cases: Iterable[Case]) -> tuple[Case, ...]:
    """Return those of some cases that make sense on a machine, with the limits that hold there."""
    parts = parts_of(spec)
    fitting = [case for case in cases if parts.holds(case.needs)]
    names = {case.name for case in fitting}
    return tuple(_with_limits(case, spec) for case in fitting if _elsewhere().replaced.get(case.name) not in names)


def _with_limits(case: Case, spec: MachineSpec) -> Case:
    found = {name: _elsewhere().limit(case.name, name, limit, spec) for name, limit in case.figures.items()}
    figures = {name: dataclasses.replace(limit, limit=found[name]) for name, limit in case.figures.items()}
    return dataclasses.replace(case, figures=figures)


def split(cases: Sequence[Case], machines: int) -> list[list[Case]]:
    """Share the cases with a program out among machines, so that all take about as long.

    Within a share, cases that load the policy themselves come at the end, and before them the ``last`` ones.
    """
    shares: list[list[Case]] = [[] for _ in range(machines)]
    for case in sorted((case for case in cases if not case.derived), key=lambda case: (-case.duration_s, case.name)):
        min(shares, key=duration_s).append(case)
    for share in shares:
        share.sort(key=lambda case: (case.loads, case.last, case.name))
    return [share for share in shares if share]


def duration_s(cases: Sequence[Case]) -> float:
    """Return the guest seconds that the cases take, one after the other."""
    return sum(case.duration_s for case in cases)
