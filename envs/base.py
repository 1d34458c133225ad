"""What all environments share: machine, baseline, episode, observation, reward, render."""

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

#: Workload seeds an episode may draw lie below this; those from here on are for held-out tests.
HELD_OUT_SEEDS = 2**30


class Measures(Protocol):
    """What an environment needs of a lab."""

    @property
    def workers(self) -> int:
        """Trials measured at once."""

    def measure(
        self, trials: Sequence[Trial], done: Callable[[int, Measurement], None] | None = None
    ) -> list[Measurement]:
        """Measures trials; the order is kept."""


@functools.cache
def shared_lab() -> Lab:
    """The lab of this process: environments that are not given one share its image and machines."""
    return Lab()


def draw_workload_seed(generator: np.random.Generator) -> int:
    """An episode's workload seed: below those of held-out tests."""
    return int(generator.integers(HELD_OUT_SEEDS))


class SchedEnv(gym.Env[dict[str, Any], Any], abc.ABC):
    """Base of the environments of a workload; subclasses say what an action is.

    ``workload``, ``objective``, ``machine`` and ``scale`` are the task; ``last`` (of ``last_policy``) and ``baseline``
    the measurements with their host timings, which ``info`` leaves out because they are not repeatable.
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
        """Prepares an environment; nothing is built or booted before ``reset``.

        Args:
            workload: A workload's name.
            scale: ``smoke``, ``standard`` or ``full``.
            cpus: CPUs of the machine.
            clock: ``virtual`` (exact) or ``real`` (host time).
            kernel: See :class:`~schedcp_gym.spec.MachineSpec`.
            max_steps: Steps of an episode.
            render_mode: ``ansi``, ``human`` or None.
            lab: Measures trials; or a function that gives the lab when it is needed.
            objective: Replaces the workload's own: the name of another that it declares, or one's own.
            **machine: Further fields of :class:`~schedcp_gym.spec.MachineSpec`.

        Raises:
            BadInput: A name does not exist, or a value is not allowed.
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
        """The policy that an action stands for.

        Raises:
            BadInput: It stands for none: the step's outcome is then ``rejected``.
        """

    @property
    def lab(self) -> Measures:
        """The lab that measures."""
        if callable(self._lab):
            self._lab = self._lab()
        return self._lab

    @property
    def deterministic(self) -> bool:
        """Whether the same seed and actions give the same results to the last digit."""
        return self.machine.clock is Clock.VIRTUAL

    @property
    def steps_left(self) -> int:
        """Steps until the episode is truncated."""
        return self.max_steps - len(self._steps)

    def trial(self, policy: Policy, workload_seed: int | None = None) -> Trial:
        """The trial of a policy on this task; the episode's workload seed if none is given."""
        seed = self.workload_seed if workload_seed is None else workload_seed
        return Trial(policy, self.workload, self.machine, self.scale, seed)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Starts an episode: draws a workload seed and measures EEVDF on it.

        Args:
            seed: Of the generator that workload seeds are drawn from.
            options: ``{"workload_seed": n}`` fixes the workload seed instead.

        Raises:
            BadInput: An option does not exist, or is not allowed.
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
        """Measures the action's policy. A bad action or policy is an outcome with the lowest reward, not an exception.

        Raises:
            SchedcpError: The host failed, repeatedly: there is nothing to score.
        """
        if self.baseline is None or self.steps_left <= 0:
            raise gym.error.ResetNeeded("call reset() first: no episode has begun, or the last one is over")
        policy, measured = self._measure(action)
        if measured.outcome is Outcome.INFRA_FAULT:
            raise SchedcpError(f"the host failed this trial, it is not scored: {measured.message}")
        gained = reward(self.workload, measured, self.baseline, self.objective)
        self._steps.append(Step(policy, measured, gained))
        self.last, self.last_policy = measured, policy
        if self.render_mode == "human":
            print(self._text())
        return self._observation(), gained, False, self.steps_left == 0, self._info(policy, measured)

    def prefetch(self, actions: Sequence[Any]) -> None:
        """Measures in parallel what the next steps will ask for: the steps' results are the same, they come sooner.

        Does nothing on the real clock, where trials that run side by side disturb each other.
        """
        if not self.deterministic or self.baseline is None:
            return
        trials = {}
        for action in actions[: self.steps_left]:
            try:
                trial = self.trial(self.decode(action))
            except BadInput:
                continue  # its step will say why
            trials[trial.digest] = trial
        wanted = list(trials.values())
        self.lab.measure(wanted, lambda index, measured: self._keep(wanted[index], measured))

    def is_prefetched(self, action: Any) -> bool:
        """Whether a step with this action needs no measuring any more."""
        try:
            return self.trial(self.decode(action)).digest in self._known
        except BadInput:
            return True

    def render(self) -> Any:  # Gymnasium 1.2's type for it holds no str, 1.4's does
        """The table of the episode as text, or None; in mode ``human`` it is printed by ``step``, and by this."""
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
        """The workload seed of an episode: the option's, else the one that was drawn."""
        return seed_option(options, drawn)

    def _measure_baseline(self) -> Measurement:
        """EEVDF's measurement on the episode's workload seed."""
        return self.lab.measure([self.trial(Policy(EEVDF))])[0]

    def _answer(self, policy: Policy) -> tuple[Policy, Measurement]:
        """What a policy that was asked for gives, and the policy that this was measured of."""
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
        """A measurement of a policy, beside its baseline, as plain values that JSON has words for."""
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
        if given is None or isinstance(given, str):
            return catalogue.find_objective(self.workload, given)
        objective = given if isinstance(given, Objective) else _valid("objective", Objective, dict(given))
        try:
            objective.check(self.workload.metrics)
        except ValueError as error:
            raise BadInput(f"{self.workload.name}: {error}") from None
        return objective


def repeatable(measured: Measurement) -> dict[str, Any]:
    """A measurement as plain values, without what differs from run to run (host time, whether it was cached)."""
    plain = dataclasses.asdict(dataclasses.replace(measured, timings_s={}, cached=False))
    del plain["timings_s"], plain["cached"]
    if not measured.host:  # virtual clock: nothing disturbs it
        del plain["host"], plain["contaminated"]
    return {**plain, "outcome": measured.outcome.value}


def _valid(what: str, kind: Any, value: Any) -> Any:
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join([what, *(str(part) for part in first["loc"])])
        raise BadInput(f"{where}: {first['msg']}, not {first['input']!r}") from None


def seed_option(options: Mapping[str, Any], drawn: int) -> int:
    """The workload seed that a reset's options fix, else the one that was drawn.

    Raises:
        BadInput: An option does not exist, or is not allowed.
    """
    unknown = set(options) - {"workload_seed"}
    if unknown:
        raise BadInput(f"unknown reset option {min(unknown)!r}; there is: workload_seed")
    seed = options.get("workload_seed", drawn)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**31:
        raise BadInput(f"workload_seed must be a whole number from 0 to {2**31 - 1}, not {seed!r}")
    return seed
