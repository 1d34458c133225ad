"""Workloads: what is run, what is measured, what counts as better."""

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
    """Whether less or more of a metric is better."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"


class Scale(enum.StrEnum):
    """How long a workload runs. ``smoke`` takes some seconds of host time."""

    SMOKE = "smoke"
    STANDARD = "standard"
    FULL = "full"


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Metric:
    """One figure a workload gives; its name carries the unit (``p99_request_us``)."""

    unit: str
    direction: Direction
    description: str


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Objective:
    """Which metrics make the reward: a weighted mean of log improvement ratios.

    Attributes:
        weights: Metric name → weight, all above 0; the weights are divided by their sum.
        bound: Name of the metric that holds the best value possible for the first weighted
            metric, where one is known.
        floors: Metric name → the least improvement ratio over the baseline that is allowed (0.9: at most a tenth
            worse). What falls below costs reward, and nothing else earns any: gain must not be had at another's cost.
    """

    weights: dict[str, float]
    bound: str | None = None
    floors: dict[str, float] = Field(default_factory=dict)

    def check(self, metrics: Collection[str]) -> None:
        """Checks it against the metrics there are.

        Raises:
            ValueError: It names another metric, or a weight or floor is not allowed.
        """
        for name in [*self.weights, *self.floors, *([self.bound] if self.bound else [])]:
            if name not in metrics:
                declared = ", ".join(sorted(metrics)) or "none"
                raise ValueError(
                    f"objective: {name} is not among the metrics ({declared}): declare it, or leave it out"
                )
        if not self.weights or not all(0 < weight < math.inf for weight in self.weights.values()):
            raise ValueError("objective: weights must be above 0 and finite, and at least one")
        if not all(0 < floor <= 1 for floor in self.floors.values()):
            raise ValueError("objective: floors must be above 0, and 1 or less")


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Workload:
    """A program with its set-up, metrics and objective, as ``workloads/<name>/workload.yaml`` declares it.

    ``setup`` and ``command`` are argument lists run in the guest, in the workload's folder.
    ``{seed}`` and ``{<parameter>}`` are filled from the trial's seed and the scale's parameters, as they are on
    the machine's number of CPUs; ``{cpus}`` is that number. The command writes its metrics as one JSON object to
    standard output.

    Attributes:
        name: The folder's name, and the variant's: ``schbench``, ``schbench-4x2``.
        title: A few words.
        description: What it is, in plain words, for a person or an agent.
        command: What is measured.
        metrics: Name → unit, direction, description.
        objective: What counts as better.
        scales: Scale → parameters, for 2 CPUs.
        with_cpus: Parameter → formula by which it follows the machine's CPUs, in order of evaluation (``resolve``).
        caches: What its processes have in the caches.
        setup: Run before the policy is loaded; not measured.
        objectives: Further objectives by name, to be asked for instead: ``throughput``, ``fair`` …
        max_job_s: Guest seconds a trial may take, by scale, where 120 are not enough.
        base: File of ``workloads/shared/`` that holds what the declaration does not say itself.
        shared: Files of ``workloads/shared/`` it needs: ``/job/shared`` in the guest, ``../shared`` for its Makefile.
        folder: The folder's name: that of the workload without its variant's; set by the catalogue.
        build: Whether ``make install DESTDIR=…`` in its folder is run when the image is built.
        packages: Debian packages the image must hold for it.
        digest: Of its folder's content; set by the catalogue.
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
        """The scale's parameters on a machine of so many CPUs."""
        return resolve(self.with_cpus, self.scales[scale], cpus)

    def arguments(self, template: list[str], scale: Scale, seed: int, cpus: int) -> list[str]:
        """Fills a command's placeholders.

        Raises:
            BadInput: A placeholder that is malformed, or that the scale has no parameter for.
        """
        values = {**self.parameters(scale, cpus), "seed": seed, "cpus": cpus}
        try:
            return [part.format_map(values) for part in template]
        except (KeyError, ValueError, IndexError, AttributeError, TypeError) as error:
            raise BadInput(
                f"workload {self.name}, scale {scale}: a placeholder has no value: {error} (have: {', '.join(values)})"
            ) from None
