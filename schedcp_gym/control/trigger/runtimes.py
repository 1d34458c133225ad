"""Which cgroups are containers: by how container runtimes name them."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, field_validator
from pydantic.dataclasses import dataclass

from schedcp_gym.spec import BadInput
from schedcp_gym.spec.errors import first_fault

RUNTIMES = Path(__file__).with_name("runtimes.yaml")
#: Characters of an id that people are shown.
SHORT = 12


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Runtime:
    """How a container runtime names cgroups.

    Attributes:
        name: The runtime's name.
        pattern: A regular expression for the path's end, with a group ``id``.
        per_boot: Whether an id is given again after the next boot.
    """

    name: str = Field(min_length=1)
    pattern: str = Field(min_length=1)
    per_boot: bool = False

    @field_validator("pattern")
    @classmethod
    def _is_regular_expression(cls, pattern: str) -> str:
        try:
            compiled = re.compile(pattern)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        if "id" not in compiled.groupindex:
            raise ValueError("it has no group (?P<id>…)")
        return pattern


@dataclass(frozen=True)
class Container:
    """A cgroup that a container runtime has made.

    Attributes:
        runtime: The runtime's name.
        id: The container's id, or its name where that is what the cgroup is called by.
        cgroup: The cgroup's path below the root.
        per_boot: Whether the id is given again after the next boot.
    """

    runtime: str
    id: str
    cgroup: str
    per_boot: bool = False

    @property
    def title(self) -> str:
        """The runtime and the id, short enough for a line."""
        is_hash = re.fullmatch(r"[0-9a-f]{32,}", self.id)
        return f"{self.runtime} {self.id[:SHORT] if is_hash else self.id}"


class Runtimes:
    """The known runtimes."""

    def __init__(self, path: Path = RUNTIMES) -> None:
        """Reads them from a YAML file, ``runtimes:`` with a list of :class:`Runtime`.

        Raises:
            BadInput: The file is missing or wrong.
        """
        self._patterns = [(each, re.compile(rf"(?:{each.pattern})\Z")) for each in _load(path)]
        self.container = lru_cache(maxsize=1 << 16)(self._container)

    def is_container(self, cgroup: str) -> bool:
        """Whether a cgroup is a container."""
        return self.container(cgroup) is not None

    def _container(self, cgroup: str) -> Container | None:
        for runtime, pattern in self._patterns:
            found = pattern.search(cgroup)
            if found:
                return Container(runtime.name, found["id"], cgroup, runtime.per_boot)
        return None


def _load(path: Path) -> list[Runtime]:
    declared = read_yaml(path)
    try:
        return TypeAdapter(list[Runtime]).validate_python(declared.get("runtimes"))
    except ValidationError as error:
        raise BadInput(f"{path}: runtimes.{first_fault(error)}") from None


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that holds a mapping.

    Raises:
        BadInput: It can't be read, or is something else.
    """
    try:
        declared = yaml.safe_load(path.read_text())
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} can't be read: it is no text in UTF-8") from None
    except yaml.YAMLError as error:
        raise BadInput(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(declared, dict):
        raise BadInput(f"{path}: must be a mapping of names to values")
    return declared
