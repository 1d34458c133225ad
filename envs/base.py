"""The base of all environments: machine, baseline, episode, observation, reward, rendering."""

import abc
import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import gymnasium as gym
import numpy as np
from pydantic import TypeAdapter, ValidationError

from schedcp_gym.envs.observation import log_improvements, observation_space, observe, processes
from schedcp_gym.envs.render import Step, episode_text
from schedcp_gym.lab import Lab, catalogue
from schedcp_gym.spec import (
    EEVDF,
    BadInput,
    Clock,
    MachineSpec,
    Measurement,
    Objective,
    Outcome,
    Policy,
    Scale,
    SchedcpError,
    Trial,
    reward,
    source_sha256,
)

#: Episodes draw workload seeds below this number. Held-out tests use this number and those above.
HELD_OUT_SEEDS = 2**30


class Measures(Protocol):
    """The part of a lab that an environment needs."""

    @property
    def workers(self) -> int:
        """Return how many trials run at the same time."""

    def measure(
        self, trials: Sequence[Trial], done: Callable[[int, Measurement], None] | None = None
    ) -> list[Measurement]:
        """Measure trials; return the measurements in the same order."""


@functools.cache
def shared_lab() -> Lab:
    """Return the lab that all environments of this process share, with its image and machines."""
    return Lab()


def draw_workload_seed(generator: np.random.Generator) -> int:
    """Draw an episode's workload seed, below :data:`HELD_OUT_SEEDS`."""
    return int(generator.integers(HELD_OUT_SEEDS))


class SchedEnv(gym.Env[dict[str, Any], Any], abc.ABC):
    """An environment of a workload; subclasses define the actions.

    Attributes:
        workload: The task's workload.
        objective: The task's objective.
        machine: The task's machine.
        scale: The task's scale.
        workload_seed: The workload seed of the episode.
        baseline: EEVDF's measurement in this episode; None before the first ``reset``. Unlike ``info``, measurements
            here hold host timings, which are not repeatable.
        last: The last measurement; after ``reset`` the baseline.
        last_policy: The policy that ``last`` is of.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["ansi", "human"], "render_fps": 1}  # type: ignore[misc]

    def __init__(
        self,
        workload: str,
        *,
        scale: str = "smoke",
        cpus: int = 2,
        clock: str = "virtual",
        kernel: str = "debian",
        max_steps: int = 12,
        render_mode: str | None = None,
        lab: Measures | Callable[[], Measures] = shared_lab,
        objective: Objective | Mapping[str, Any] | str | None = None,
        **machine: Any,
    ) -> None:
        """Set up an environment; nothing is built or booted before ``reset``.

        Args:
            workload: A workload's name.
            scale: ``smoke``, ``standard`` or ``full``.
            cpus: Number of CPUs of the machine.
            clock: ``virtual`` (exact) or ``real`` (host time).
            kernel: See :class:`~schedcp_gym.spec.MachineSpec`.
            max_steps: Number of steps of an episode, at least 2.
            render_mode: ``ansi``, ``human`` or None.
            lab: The lab that measures trials, or a function that returns it when it is first needed.
            objective: Replaces the workload's own: the name of another one that it declares, or an objective's fields.
            **machine: Further fields of :class:`~schedcp_gym.spec.MachineSpec`.

        Raises:
            BadInput: A name does not exist, or a value is not allowed.

        Example:
            >>> env = gym.make("SchedCP/Schbench-Tune-v0", scale="smoke", max_steps=4)
            >>> observation, info = env.reset(seed=1)
            >>> action = env.unwrapped.encode("fifo", {"slice_us": 3000})
            >>> observation, reward, terminated, truncated, info = env.step(action)
        """
        self.workload = catalogue.load_workload(workload)
        self.scale = _valid("scale", Scale, scale)
        self.machine = _valid("machine", MachineSpec, {"cpus": cpus, "clock": clock, "kernel": kernel, **machine})
        self.objective = self._objective(objective)
        if max_steps < 2:
            raise BadInput(f"max_steps must be 2 or more, not {max_steps}")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise BadInput(f"render_mode must be 'ansi', 'human' or None, not {render_mode!r}")
        self.max_steps = max_steps
        self.render_mode = render_mode
        self.observation_space = observation_space(self.workload)
        self._lab = lab
        self._known: dict[str, Measurement] = {}
        self._steps: list[Step] = []
        self.workload_seed = 0
        self.baseline: Measurement | None = None
        self.last: Measurement | None = None
        self.last_policy = Policy(EEVDF)

    @abc.abstractmethod
    def decode(self, action: Any) -> Policy:
        """Return the policy that an action stands for.

        Raises:
            BadInput: The action is malformed. A step with it has the outcome ``rejected``.
        """

    @property
    def lab(self) -> Measures:
        """Return the lab that measures trials."""
        if callable(self._lab):
            self._lab = self._lab()
        return self._lab

    @property
    def deterministic(self) -> bool:
        """Return whether the same seed and actions give the same results to the last digit."""
        return self.machine.clock is Clock.VIRTUAL

    @property
    def steps_left(self) -> int:
        """Return the number of steps until the episode is truncated."""
        return self.max_steps - len(self._steps)

    def trial(self, policy: Policy, workload_seed: int | None = None) -> Trial:
        """Return the trial of a policy on this task, with the episode's workload seed unless another is given."""
        seed = self.workload_seed if workload_seed is None else workload_seed
        return Trial(policy, self.workload, self.machine, self.scale, seed)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin an episode: draw a workload seed and measure EEVDF on it.

        Args:
            seed: Of the generator that draws workload seeds.
            options: ``{"workload_seed": n}`` sets the workload seed, 0 to 2**31 - 1.

        Returns:
            The observation and the info after EEVDF's measurement.

        Raises:
            BadInput: An option does not exist, or its value is not allowed.
            SchedcpError: EEVDF can't be measured.
        """
        super().reset(seed=seed)
        drawn = draw_workload_seed(self.np_random)
        self.workload_seed = self._seed_of(options or {}, drawn)
        self._known.clear()
        self._steps = []
        baseline = self._measure_baseline()
        if not baseline.ok:
            raise SchedcpError(
                f"{self.workload.name} can't be measured under the kernel's own scheduler: "
                f"{baseline.outcome}: {baseline.message}"
            )
        self.baseline = self.last = baseline
        self.last_policy = Policy(EEVDF)
        return self._observation(), self._info(Policy(EEVDF), baseline)

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Measure the action's policy. A malformed action or bad policy has the lowest reward; it is not an exception.

        Returns:
            Observation, reward, terminated (always False), truncated (True after the last step), info.

        Raises:
            ResetNeeded: No episode has begun, or the last one is over.
            SchedcpError: The host failed repeatedly, so there is nothing to score.
        """
        if self.baseline is None or self.steps_left <= 0:
            raise gym.error.ResetNeeded("call reset() first: no episode has begun, or the last one is over")
        policy, measured = self._measure(action)
        if measured.outcome is Outcome.INFRA_FAULT:
            raise SchedcpError(f"the host failed, so this trial is not scored: {measured.message}")
        gained = reward(self.workload, measured, self.baseline, self.objective)
        self._steps.append(Step(policy, measured, gained))
        self.last, self.last_policy = measured, policy
        if self.render_mode == "human":
            print(self._text())
        return self._observation(), gained, False, self.steps_left == 0, self._info(policy, measured)

    def prefetch(self, actions: Sequence[Any]) -> None:
        """Measure the actions of the next steps in parallel. The steps then return the same results, but sooner.

        Does nothing on the real clock, where trials that run at the same time disturb each other.

        Args:
            actions: The actions of the next steps. Malformed actions, and those after the episode's end, are ignored.
        """
        if not self.deterministic or self.baseline is None:
            return
        trials = {}
        for action in actions[: self.steps_left]:
            try:
                trial = self.trial(self.decode(action))
            except BadInput:
                continue  # its step reports the error
            trials[trial.digest] = trial
        wanted = list(trials.values())
        self.lab.measure(wanted, lambda index, measured: self._keep(wanted[index], measured))

    def is_prefetched(self, action: Any) -> bool:
        """Return whether a step with this action needs no new measurement."""
        try:
            return self.trial(self.decode(action)).digest in self._known
        except BadInput:
            return True

    def render(self) -> Any:  # the return type in Gymnasium 1.2 has no str, in 1.4 it has
        """Return the table of the episode as text in mode ``ansi``; print it in mode ``human``."""
        if self.render_mode is None:
            gym.logger.warn("render() was called without a render mode: gymnasium.make(id, render_mode='ansi')")
        if self.render_mode == "ansi":
            return self._text()
        if self.render_mode == "human":
            print(self._text())
        return None

    def _measure(self, action: Any) -> tuple[Policy, Measurement]:
        try:
            policy = self.decode(action)
        except BadInput as error:
            return Policy("-"), Measurement(trial="", outcome=Outcome.REJECTED, message=str(error))
        return self._answer(policy)

    def _seed_of(self, options: Mapping[str, Any], drawn: int) -> int:
        """Return the workload seed of an episode: the option's, else the drawn one."""
        if unknown := set(options) - {"workload_seed"}:
            raise BadInput(f"unknown reset option {min(unknown)!r}; there is: workload_seed")
        seed = options.get("workload_seed", drawn)
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**31:
            raise BadInput(f"workload_seed must be a whole number from 0 to {2**31 - 1}, not {seed!r}")
        return seed

    def _measure_baseline(self) -> Measurement:
        """Return EEVDF's measurement on the episode's workload seed."""
        return self.lab.measure([self.trial(Policy(EEVDF))])[0]

    def _answer(self, policy: Policy) -> tuple[Policy, Measurement]:
        """Return the measurement for a policy, and the policy that was measured."""
        trial = self.trial(policy)
        return policy, self._known.get(trial.digest) or self.lab.measure([trial])[0]

    def _keep(self, trial: Trial, measured: Measurement) -> None:
        if measured.outcome is not Outcome.INFRA_FAULT:
            self._known[trial.digest] = measured

    def _observation(self) -> dict[str, Any]:
        assert self.baseline is not None
        assert self.last is not None
        best = max((step.reward for step in self._steps), default=0.0)
        return observe(self.workload, self.last, self.baseline, max(best, 0.0), self.steps_left / self.max_steps)

    def _info(self, policy: Policy, measured: Measurement) -> dict[str, Any]:
        assert self.baseline is not None
        described = self.describe(policy, measured, self.baseline, self.workload_seed)
        return described | {"step": len(self._steps)}

    def describe(
        self, policy: Policy, measured: Measurement, baseline: Measurement, workload_seed: int
    ) -> dict[str, Any]:
        """Return a measurement and its baseline as values that JSON can hold: the ``info`` of a step."""
        return {
            "workload": self.workload.name,
            "scale": self.scale.value,
            "workload_seed": workload_seed,
            "policy": policy.name,
            "tunables": dict(policy.tunables),
            "source_sha256": source_sha256(policy.source),
            "outcome": measured.outcome.value,
            "message": measured.message,
            "reward_parts": log_improvements(self.workload, measured, baseline),
            "processes": processes(baseline),
            "measurement": repeatable(measured),
            "baseline": repeatable(baseline),
        }

    def _text(self) -> str:
        return episode_text(self.workload, self.objective, self.workload_seed, self.baseline, self._steps)

    def _objective(self, given: Objective | Mapping[str, Any] | str | None) -> Objective:
        if isinstance(given, Mapping):
            given = _valid("objective", Objective, dict(given))
        objective = catalogue.find_objective(self.workload, given)
        try:
            objective.check(self.workload.metrics)
        except ValueError as error:
            raise BadInput(f"{self.workload.name}: {error}") from None
        return objective


def repeatable(measured: Measurement) -> dict[str, Any]:
    """Return a measurement as plain values, without those that differ between runs (host times, ``cached``)."""
    plain = dataclasses.asdict(dataclasses.replace(measured, timings_s={}, cached=False))
    del plain["timings_s"], plain["cached"]
    if not measured.host:  # virtual clock: other processes can't disturb it
        del plain["host"], plain["contaminated"]
    return {**plain, "outcome": measured.outcome.value}


def _valid(what: str, kind: Any, value: Any) -> Any:
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join([what, *(str(part) for part in first["loc"])])
        raise BadInput(f"{where}: {first['msg']}, not {first['input']!r}") from None
