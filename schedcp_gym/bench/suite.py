"""A suite: policies × workloads × seeds, measured in parallel on the virtual clock, one at a time on the real one."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from schedcp_gym.bench import durations
from schedcp_gym.bench.result import Result, median_of
from schedcp_gym.lab import Lab, catalogue
from schedcp_gym.spec import EEVDF, BadInput, Clock, MachineSpec, Measurement, Policy, Scale, Trial, Workload

Done = Callable[[Result], None]
#: Seed of the order in which trials of one repeat follow each other on the real clock.
ORDER_SEED = 0


@dataclass(frozen=True)
class Suite:
    """What is to be measured.

    Attributes:
        policies: Each with a name of its own. EEVDF is measured in any case: it is what the others are held against.
        workloads: On what.
        machine: Where.
        scale: How long the workloads run.
        seeds: The workloads' seeds.
        objective: Name of an objective that each workload declares; None: their own.
        repeats: Measurements of each trial; more than one only on the real clock, where they differ.
    """

    policies: tuple[Policy, ...]
    workloads: tuple[Workload, ...]
    machine: MachineSpec = field(default_factory=MachineSpec)
    scale: Scale = Scale.SMOKE
    seeds: tuple[int, ...] = (0,)
    objective: str | None = None
    repeats: int = 1

    def __post_init__(self) -> None:
        """Checks it.

        Raises:
            BadInput: It can't be measured, or not told apart.
        """
        names = [policy.name for policy in self.policies]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise BadInput(f"two policies are called {twice!r}: rename one's file")
        if self.repeats > 1 and self.machine.clock is Clock.VIRTUAL:
            raise BadInput("on the virtual clock every repeat gives the same: leave --repeats, or add --clock real")
        for workload in self.workloads:
            catalogue.find_objective(workload, self.objective)

    def trials(self) -> list[Trial]:
        """All trials, those of EEVDF included, each once."""
        policies = [Policy(EEVDF), *(policy for policy in self.policies if not policy.is_eevdf)]
        return [
            Trial(policy, workload, self.machine, self.scale, seed)
            for workload in self.workloads
            for policy in policies
            for seed in self.seeds
        ]


class Bench:
    """Measures a suite. What is there can be asked for at any time, also after an interruption."""

    def __init__(self, suite: Suite, lab: Lab) -> None:
        """Prepares; nothing is measured yet.

        Raises:
            BadInput: The lab would measure several trials at once on the real clock, where they disturb each other (on
                Ray each gets cores of its own).
        """
        if suite.machine.clock is Clock.REAL and lab.workers != 1 and not lab.executor.has_separate_cores:
            raise BadInput("trials on the real clock disturb each other: one at a time (--workers 1)")
        self.suite = suite
        self.lab = lab
        self._found: dict[str, list[Measurement]] = {}
        self._lock = threading.Lock()

    @property
    def total(self) -> int:
        """Measurements that the suite takes."""
        return len(self.suite.trials()) * self.suite.repeats

    def run(self, done: Done | None = None) -> list[Result]:
        """Measures what is missing, the longest first; on the real clock in rounds, each in an order of its own.

        Args:
            done: Told of each single measurement as it comes, one at a time, without its baseline.

        Raises:
            SchedcpError: Image, QEMU or compiler is missing.
        """
        order = random.Random(ORDER_SEED)
        for _ in range(self.suite.repeats):
            trials = durations.longest_first(self.suite.trials(), durations.read())
            if self.suite.machine.clock is Clock.REAL:
                order.shuffle(trials)
            self._round(trials, done)
        return self.results()

    def results(self) -> list[Result]:
        """The results of the suite's policies so far, by workload, policy and seed."""
        wanted = {policy.name for policy in self.suite.policies}
        found = []
        for trial in self.suite.trials():
            measurements = self._found.get(trial.digest)
            if measurements and trial.policy.name in wanted:
                found.append(self._result(trial, measurements))
        return found

    def rounds(self) -> list[list[Result]]:
        """The results of each repeat that is whole, held against EEVDF in that repeat."""
        wanted = {policy.name for policy in self.suite.policies}
        trials = [trial for trial in self.suite.trials() if trial.policy.name in wanted]
        whole = min((len(self._found.get(trial.digest, ())) for trial in self.suite.trials()), default=0)
        return [[self._result(trial, [self._found[trial.digest][at]], at) for trial in trials] for at in range(whole)]

    def _round(self, trials: list[Trial], done: Done | None) -> None:
        spent: dict[str, float] = {}

        def measured(index: int, measurement: Measurement) -> None:
            trial = trials[index]
            with self._lock:
                self._found.setdefault(trial.digest, []).append(measurement)
                if not measurement.cached and measurement.ok:
                    spent[durations.key_of(trial)] = measurement.timings_s.get("total", 0.0)
                if done:
                    done(self._result(trial, [measurement]))

        try:
            self.lab.measure(trials, measured)
        finally:
            durations.add(spent)

    def _result(self, trial: Trial, measurements: list[Measurement], at: int | None = None) -> Result:
        """A trial's result, against EEVDF's repeat ``at``, else against the median of those there are."""
        eevdf = Trial(Policy(EEVDF), trial.workload, trial.machine, trial.scale, trial.seed)
        baseline = self._found.get(eevdf.digest, [])
        if at is not None:
            baseline = baseline[at : at + 1]
        return Result(
            policy=trial.policy,
            workload=trial.workload,
            objective=catalogue.find_objective(trial.workload, self.suite.objective),
            seed=trial.seed,
            measured=median_of(measurements),
            baseline=median_of(baseline) if baseline else None,
            repeats=len(measurements),
        )
