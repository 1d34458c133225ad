"""The battery's cases: a program in C and a declaration beside it, found by looking."""

from collections.abc import Mapping, Sequence

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from schedcp_gym.control.verifier.report import Figure
from schedcp_gym.paths import BATTERY
from schedcp_gym.spec import SchedcpError

CASES = BATTERY / "cases"


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Limit:
    """What is allowed of one figure.

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
        figures: Limits by the figure's name, in the order of telling.
        duration_s: Guest seconds it takes with a good policy.
        loads: Whether it loads the policy itself, instead of running with others under one load.
        last: Whether it comes after the others of its load, when the policy has run for long.
        smoke: Whether it belongs to the short battery.
        derived: Whether its figures come from the loader's report of all others: it has no program.
    """

    name: str
    about: str
    figures: dict[str, Limit]
    duration_s: float = Field(default=0.0, ge=0)
    loads: bool = False
    last: bool = False
    smoke: bool = False
    derived: bool = False

    def judge(self, values: Mapping[str, float]) -> tuple[Figure, ...]:
        """The figures with their limits; one that was not measured has no value, and so does not keep its limit."""
        return tuple(
            Figure(self.name, name, values.get(name), limit.limit, limit.at_least, limit.why)
            for name, limit in self.figures.items()
        )


def load_cases(*, smoke: bool = False) -> tuple[Case, ...]:
    """All cases, or those of the short battery, in order of name.

    Raises:
        SchedcpError: A declaration is wrong, or lacks its program; the text names the file.
    """
    cases = []
    for path in sorted(CASES.glob("*.yaml")):
        try:
            case = TypeAdapter(Case).validate_python({"name": path.stem, **yaml.safe_load(path.read_text())})
        except (yaml.YAMLError, ValidationError, TypeError) as error:
            raise SchedcpError(f"{path}: {error}") from None
        if not case.derived and not path.with_suffix(".c").is_file():
            raise SchedcpError(f"{path}: there is no {path.stem}.c beside it")
        cases.append(case)
    return tuple(case for case in cases if case.smoke or not smoke)


def split(cases: Sequence[Case], machines: int) -> list[list[Case]]:
    """Shares the cases with a program out among machines, so that all take about as long.

    Within a share, cases that load the policy themselves come at the end, and before them the ``last`` ones.
    """
    shares: list[list[Case]] = [[] for _ in range(machines)]
    for case in sorted((case for case in cases if not case.derived), key=lambda case: (-case.duration_s, case.name)):
        min(shares, key=duration_s).append(case)
    for share in shares:
        share.sort(key=lambda case: (case.loads, case.last, case.name))
    return [share for share in shares if share]


def duration_s(cases: Sequence[Case]) -> float:
    """Guest seconds that the cases take, one after the other."""
    return sum(case.duration_s for case in cases)
