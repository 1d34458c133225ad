"""Types of a run's configuration."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from schedcp_gym.envs.wrappers import Budget
from schedcp_gym.lab.cluster import Ray
from schedcp_gym.llm import LlmBudget, LlmConfig
from schedcp_gym.spec import BadInput, MachineSpec, Scale

#: Names of the language model's limits in the configuration.
LLM_LIMITS = {"calls": "llm_calls", "tokens": "tokens", "usd": "usd", "host_s": "llm_host_s"}


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class RunBudget(Budget):
    """Limits of a run, including its language model. The run ends when one is used up. None is no limit.

    Attributes:
        tokens: Tokens of all prompts and answers.
        usd: Dollars. The price of the model must be known.
        llm_calls: Attempts to get an answer, including failed ones.
        llm_host_s: Host seconds of calls, and of the waits between attempts.
    """

    tokens: int | None = Field(default=None, ge=1)
    usd: float | None = Field(default=None, gt=0)
    llm_calls: int | None = Field(default=None, ge=1)
    llm_host_s: float | None = Field(default=None, gt=0)

    @property
    def llm(self) -> LlmBudget:
        """Return the limits of the language model."""
        return LlmBudget(**{limit: getattr(self, name) for limit, name in LLM_LIMITS.items()})


Variants = dict[str, dict[str, int | float | str]]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class HeldOut:
    """Test on workload seeds that the search never used, and on variants of the workload that are hidden from agents.

    Attributes:
        seeds: Number of seeds.
        confidence: Confidence of the intervals.
        rebind_names: Whether process names in tunables are replaced by those of each seed.
        variant_seeds: Number of seeds for each variant.
        variants: Workload → name of a variant → parameters that replace those of the scale.
    """

    seeds: int = Field(default=5, ge=3, le=1000)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    rebind_names: bool = True
    variant_seeds: int = Field(default=3, ge=3, le=1000)
    variants: dict[str, Variants] = field(default_factory=dict)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class WorkloadName:
    """Name of the workload."""

    name: str


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Settings:
    """Settings of a run. ``configs/config.yaml`` explains the fields."""

    workload: WorkloadName
    machine: MachineSpec
    budget: RunBudget
    heldout: HeldOut
    llm: LlmConfig = field(default_factory=lambda: LlmConfig("offline/rules"))
    scale: Scale = Scale.SMOKE
    seed: int = Field(default=1, ge=0, le=2**31 - 1)
    episode_steps: int = Field(default=12, ge=2)
    objective: dict[str, Any] | str | None = None
    workers: int | None = Field(default=None, ge=1)
    cache: bool = True
    repository: str | None = None
    ray: Ray = Ray()


def read_settings(config: Mapping[str, Any]) -> Settings:
    """Check a resolved configuration and return its settings, without the parts ``run`` and ``agent``.

    Raises:
        BadInput: A value is not allowed; the message names the key.
    """
    plain = {key: value for key, value in config.items() if key not in ("run", "agent")}
    try:
        settings = TypeAdapter(Settings).validate_python(plain)
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        raise BadInput(f"{'.'.join(map(str, first['loc']))}: {message}, not {first['input']!r}") from None
    if settings.budget.evaluations is None and settings.budget.virtual_s is None:
        raise BadInput("the run would never end: set budget.evaluations or budget.virtual_s")
    return settings
