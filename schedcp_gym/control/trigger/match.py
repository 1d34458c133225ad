"""Which workload of the catalogue a container's processes are: by rules in YAML files."""

import enum
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from schedcp_gym.control.trigger.processes import Process
from schedcp_gym.control.trigger.runtimes import Container, read_yaml
from schedcp_gym.lab.catalogue import unknown, workload_names
from schedcp_gym.paths import CONFIGS
from schedcp_gym.spec import BadInput
from schedcp_gym.spec.errors import first_fault

#: Rules for the catalogue's workloads, used when a user has none of their own: a file each.
MATCHES = Path(__file__).with_name("matches")
#: What a run is given by the watcher.
OURS = ("workload", "agent", "run", "run.dir", "run.name", "run.agent", "hydra")
_SETTING = re.compile(r"(\+\+?|~)?(?P<key>[A-Za-z_][\w./@-]*)=.*", re.DOTALL)


class OncePer(enum.StrEnum):
    """For what one optimisation is enough."""

    CONTAINER = "container"
    WORKLOAD = "workload"


Globs = Annotated[tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Rule:
    """A rule: what must hold, and what is to be run then. Patterns are globs (``*``, ``?``, ``[…]``).

    Attributes:
        workload: The catalogue's workload.
        process: Names of a process of the container, any of them: as the kernel or its first word has it.
        command: Command lines, any of them, of that same process.
        cgroup: Paths of the cgroup below the tree's root, any of them (a ``*`` goes over slashes too).
        runtime: Names of container runtimes, any of them.
        agent: Another agent than the watcher's.
        overrides: Further settings of the run, ``NAME=VALUE``.
        once_per: For what one optimisation is enough.
    """

    workload: str
    process: Globs = ()
    command: Globs = ()
    cgroup: Globs = ()
    runtime: Globs = ()
    agent: str | None = None
    overrides: tuple[str, ...] = ()
    once_per: OncePer = Field(default=OncePer.CONTAINER)

    @model_validator(mode="after")
    def _says_something(self) -> "Rule":
        if not (self.process or self.command or self.cgroup or self.runtime):
            raise ValueError("it matches everything: give process, command, cgroup or runtime")
        return self

    def fits(self, container: Container, processes: Sequence[Process]) -> Process | None:
        """The process by which a container fits; None if it does not, or has no process."""
        if self.runtime and not _any([container.runtime], self.runtime):
            return None
        if self.cgroup and not _any([container.cgroup], self.cgroup):
            return None
        return next(filter(self._fits_process, processes), None)

    def _fits_process(self, process: Process) -> bool:
        if self.process and not _any(process.names, self.process):
            return False
        return not self.command or _any([" ".join(process.command)], self.command)


def load_rules(paths: Sequence[Path] = ()) -> list[Rule]:
    """The rules of files, in order; those for the catalogue's workloads when there are no files.

    Raises:
        BadInput: A file is missing or wrong; the text names it.
    """
    return [rule for path in paths or sorted(MATCHES.glob("*.yaml")) for rule in _load(path)]


def find(rules: Sequence[Rule], container: Container, processes: Sequence[Process]) -> tuple[Rule, Process] | None:
    """The first rule that fits, and the process by which it does."""
    for rule in rules:
        process = rule.fits(container, processes)
        if process:
            return rule, process
    return None


def check_agent(name: str) -> str:
    """Returns an agent's name.

    Raises:
        BadInput: There is no such agent.
    """
    known = [path.stem for path in (CONFIGS / "agent").glob("*.yaml")]
    if name not in known:
        raise unknown("agent", name, known)
    return name


def check_overrides(settings: Sequence[str]) -> tuple[str, ...]:
    """Returns a run's further settings.

    Raises:
        BadInput: One is not NAME=VALUE, or is for the watcher to give.
    """
    for setting in settings:
        found = _SETTING.fullmatch(setting)
        if not found:
            raise BadInput(f"a setting of a run is NAME=VALUE, not {setting!r}")
        if found["key"] in OURS or found["key"].startswith("hydra"):
            raise BadInput(f"{found['key']} is set by the watcher, so {setting!r} can't be given")
    return tuple(settings)


def _load(path: Path) -> list[Rule]:
    declared = read_yaml(path)
    if set(declared) != {"match"}:
        raise BadInput(f"{path}: must have `match:` with a list of rules, and nothing else")
    try:
        rules = TypeAdapter(dict[str, list[Rule]]).validate_python(declared)["match"]
        for rule in rules:
            if rule.workload not in workload_names():
                raise unknown("workload", rule.workload, workload_names())
            if rule.agent is not None:
                check_agent(rule.agent)
            check_overrides(rule.overrides)
    except ValidationError as error:
        raise BadInput(f"{path}: {first_fault(error)}") from None
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None
    return rules


def _any(texts: Sequence[str], globs: Sequence[str]) -> bool:
    return any(fnmatchcase(text, glob) for text in texts for glob in globs)
