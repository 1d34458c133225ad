"""A run's configuration, checked."""

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from schedcp_gym.envs.wrappers import Budget
from schedcp_gym.lab.cluster import Ray
from schedcp_gym.spec import BadInput, MachineSpec, Scale


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class HeldOut:
    """The test on workload seeds that the search never saw."""

    seeds: int = Field(default=5, ge=3, le=1000)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    rebind_names: bool = True


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class WorkloadName:
    """The workload, by name."""

    name: str


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Settings:
    """What a run is: ``configs/config.yaml`` explains the fields."""

    workload: WorkloadName
    machine: MachineSpec
    budget: Budget
    heldout: HeldOut
    scale: Scale = Scale.SMOKE
    seed: int = Field(default=1, ge=0, le=2**31 - 1)
    episode_steps: int = Field(default=12, ge=2)
    objective: dict[str, Any] | str | None = None
    workers: int | None = Field(default=None, ge=1)
    cache: bool = True
    ray: Ray = Ray()


def read_settings(config: Mapping[str, Any]) -> Settings:
    """Checks a resolved configuration; what belongs to Hydra and the agent (``run``, ``agent``) is left out.

    Raises:
        BadInput: A value is not allowed; the text names the key.
    """
    plain = {key: value for key, value in config.items() if key not in ("run", "agent")}
    try:
        settings = TypeAdapter(Settings).validate_python(plain)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"{'.'.join(map(str, first['loc']))}: {first['msg']}, not {first['input']!r}") from None
    if settings.budget.evaluations is None and settings.budget.virtual_s is None:
        raise BadInput("the run would never end: set budget.evaluations or budget.virtual_s")
    return settings
