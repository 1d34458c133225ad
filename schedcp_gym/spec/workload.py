"""Workloads: the program, its metrics, and its objectives."""

import enum
import math
from collections.abc import Collection
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from schedcp_gym.spec.caches import Caches
from schedcp_gym.spec.errors import BadInput
from schedcp_gym.spec.formula import Parameter, resolve
from schedcp_gym.spec.machine import LONGEST_JOB_S
from schedcp_gym.spec.topology import MOST_CPUS


class Direction(enum.StrEnum):
    """Direction in which a metric improves."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"


class Scale(enum.StrEnum):
    """A length of a workload's run. At ``smoke`` scale it takes some seconds of host time."""

    SMOKE = "smoke"
    STANDARD = "standard"
    FULL = "full"


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Metric:
    """A figure that a workload reports. Its name includes the unit (``p99_request_us``)."""

    unit: str
    direction: Direction
    description: str


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Objective:
    """The metrics that make the reward: a weighted mean of log improvement ratios.

    Attributes:
        weights: Metric's name → weight, all above 0. The weights are divided by their sum.
        bound: Name of the metric that holds the best possible value of the first weighted metric, if it is known.
        floors: Metric's name → least improvement ratio over the baseline (0.9: at most a tenth worse). Below a floor
            there is no reward, so that a gain in one metric cannot pay for harm to another.

    Example:
        >>> Objective(weights={"p99_request_us": 1.0}, floors={"requests_per_s": 0.95})
    """

    weights: dict[str, float]
    bound: str | None = None
    floors: dict[str, float] = Field(default_factory=dict)

    def check(self, metrics: Collection[str]) -> None:
        """Check the objective against a workload's metrics.

        Raises:
            ValueError: It names an unknown metric, or a weight or floor is not allowed.
        """
        for name in [*self.weights, *self.floors, *([self.bound] if self.bound else [])]:
            if name not in metrics:
                declared = ", ".join(sorted(metrics)) or "none"
                raise ValueError(
                    f"objective: {name} is not among the metrics ({declared}): declare it, or leave it out"
                )
        if not self.weights or not all(0 < weight < math.inf for weight in self.weights.values()):
            raise ValueError("objective: there must be at least one weight, and all must be above 0 and finite")
        if not all(0 < floor <= 1 for floor in self.floors.values()):
            raise ValueError("objective: floors must be above 0 and at most 1")


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Workload:
    """A program with its set-up, metrics and objective, as ``workloads/<name>/workload.yaml`` declares it.

    ``setup`` and ``command`` are lists of arguments. The guest runs them in the workload's folder. ``{seed}`` stands
    for the trial's seed, ``{cpus}`` for the machine's number of CPUs, and ``{<parameter>}`` for a parameter of the
    scale on this number of CPUs. The command writes its metrics as one JSON object to standard output.

    Attributes:
        name: Name of the folder, with the variant's name if it is one: ``schbench``, ``schbench-4x2``.
        title: A few words.
        description: A plain description for people and agents.
        command: The measured program.
        metrics: Name → unit, direction, description.
        objective: The objective unless another is asked for.
        scales: Scale → parameters, for 2 CPUs.
        with_cpus: Parameter → formula that adapts it to the machine's CPUs, in order of evaluation (``resolve``).
        caches: Data of its processes in the caches.
        setup: Runs before the policy is loaded; not measured.
        objectives: Further objectives by name: ``throughput``, ``fair`` …
        max_job_s: Scale → limit of a trial in guest seconds, if 120 are not enough.
        base: File of ``workloads/shared/`` with keys that the declaration leaves out, and the end of its description.
        shared: Files of ``workloads/shared/`` that it needs: ``/job/shared`` in the guest, ``../shared`` in a Makefile.
        folder: Name of the folder, without a variant's name; set by the catalogue.
        build: Whether the image needs ``make install DESTDIR=…`` in its folder.
        packages: Debian packages that the image needs for it.
        digest: Of its folder's content; set by the catalogue.

    Raises:
        ValueError: The declaration is incomplete or does not fit together; the text names the field.
    """

    name: str
    title: str
    description: str
    command: list[str] = Field(min_length=1)
    metrics: dict[str, Metric]
    objective: Objective
    scales: dict[Scale, dict[str, Parameter]]
    with_cpus: dict[str, str] = Field(default_factory=dict)
    caches: Caches = Caches()
    setup: list[str] = Field(default_factory=list)
    objectives: dict[str, Objective] = Field(default_factory=dict)
    max_job_s: dict[Scale, Annotated[float, Field(gt=0, le=LONGEST_JOB_S)]] = Field(default_factory=dict)
    base: str = ""
    shared: list[str] = Field(default_factory=list)
    folder: str = ""
    build: bool = False
    packages: list[str] = Field(default_factory=list)
    digest: str = ""

    @model_validator(mode="after")
    def _is_whole(self) -> "Workload":
        missing = [scale.value for scale in Scale if scale not in self.scales]
        if missing:
            raise ValueError(f"scales: {', '.join(missing)} missing")
        for objective in (self.objective, *self.objectives.values()):
            objective.check(self.metrics)
        for scale in Scale:
            for cpus in range(1, MOST_CPUS + 1):
                try:
                    self.parameters(scale, cpus)
                except ValueError as error:
                    raise ValueError(f"with_cpus, scale {scale}: {error}") from None
        return self

    def parameters(self, scale: Scale, cpus: int) -> dict[str, Parameter]:
        """Return the scale's parameters on a machine with this number of CPUs."""
        return resolve(self.with_cpus, self.scales[scale], cpus)

    def arguments(self, template: list[str], scale: Scale, seed: int, cpus: int) -> list[str]:
        """Return a command with its placeholders replaced.

        Args:
            template: ``setup`` or ``command``.
            scale: Scale of the parameters.
            seed: The trial's seed.
            cpus: Number of CPUs of the machine.

        Raises:
            BadInput: A placeholder is malformed, or the scale has no parameter with its name.
        """
        values = {**self.parameters(scale, cpus), "seed": seed, "cpus": cpus}
        try:
            return [part.format_map(values) for part in template]
        except (KeyError, ValueError, IndexError, AttributeError, TypeError) as error:
            raise BadInput(
                f"workload {self.name}, scale {scale}: a placeholder has no value: {error} (have: {', '.join(values)})"
            ) from None
