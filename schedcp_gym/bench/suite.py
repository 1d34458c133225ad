"""Suites: policies × workloads × seeds, measured in parallel on the virtual clock, one at a time on the real one."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from schedcp_gym.bench import durations
from schedcp_gym.bench.result import BenchResult, median_of
from schedcp_gym.lab import Lab, catalogue
from schedcp_gym.spec import EEVDF, BadInput, Clock, MachineSpec, Measurement, Policy, Scale, Trial, Workload

Done = Callable[[BenchResult], None]
#: Seed of the random order of trials in each repeat on the real clock.
ORDER_SEED = 0


@dataclass(frozen=True)
class Suite:
    """Trials to measure.

    Attributes:
        policies: Policies with different names. EEVDF is always measured too, for comparison.
        workloads: The workloads.
        machine: The machine.
        scale: Length of the workloads.
        seeds: The workloads' seeds.
        objective: Name of an objective that each workload declares; None: each workload's main one.
        repeats: Measurements of each trial; on the virtual clock 1, because repeats are equal.
    """

    policies: tuple[Policy, ...]
    workloads: tuple[Workload, ...]
    machine: MachineSpec = field(default_factory=MachineSpec)
    scale: Scale = Scale.SMOKE
    seeds: tuple[int, ...] = (0,)
    objective: str | None = None
    repeats: int = 1

    def __post_init__(self) -> None:
        """Check the suite.

        Raises:
            BadInput: Two policies have one name, or the repeats or the objective are not possible.
        """
        names = [policy.name for policy in self.policies]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise BadInput(f"two policies have the name {twice!r}: rename one of the files")
        if self.repeats > 1 and self.machine.clock is Clock.VIRTUAL:
            raise BadInput("on the virtual clock every repeat gives the same: omit --repeats, or add --clock real")
        for workload in self.workloads:
            catalogue.find_objective(workload, self.objective)

    def trials(self) -> list[Trial]:
        """Return all trials, including those of EEVDF, each once."""
        policies = [Policy(EEVDF), *(policy for policy in self.policies if not policy.is_eevdf)]
        return [
            Trial(policy, workload, self.machine, self.scale, seed)
            for workload in self.workloads
            for policy in policies
            for seed in self.seeds
        ]


class Bench:
    """Measures a suite. Results are available at any time, also after an interruption.

    Example:
        >>> suite = Suite((catalogue.load_policy("fifo"),), (catalogue.load_workload("schbench"),))
        >>> results = Bench(suite, Lab()).run()  # doctest: +SKIP
        >>> [result.ratio for result in results]  # doctest: +SKIP
    """

    def __init__(self, suite: Suite, lab: Lab) -> None:
        """Prepare the measurements; :meth:`run` starts them.

        Raises:
            BadInput: The lab would measure several trials at once on the real clock, where they disturb each other (not
                on Ray, where each trial gets its own cores).
        """
        if suite.machine.clock is Clock.REAL and lab.workers != 1 and not lab.executor.has_separate_cores:
            raise BadInput("trials on the real clock disturb each other: one at a time (--workers 1)")
        self.suite = suite
        self.lab = lab
        self._found: dict[str, list[Measurement]] = {}
        self._lock = threading.Lock()

    @property
    def total(self) -> int:
        """Return the number of measurements in the suite."""
        return len(self.suite.trials()) * self.suite.repeats

    def run(self, done: Done | None = None) -> list[BenchResult]:
        """Measure the suite, the longest trials first; on the real clock in rounds, each in another random order.

        Args:
            done: Called with each measurement, without its baseline; never by two threads at once.

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

    def results(self) -> list[BenchResult]:
        """Return the results of the suite's policies so far, in order of workload, policy and seed."""
        wanted = {policy.name for policy in self.suite.policies}
        found = []
        for trial in self.suite.trials():
            measurements = self._found.get(trial.digest)
            if measurements and trial.policy.name in wanted:
                found.append(self._result(trial, measurements))
        return found

    def rounds(self) -> list[list[BenchResult]]:
        """Return the results of each complete repeat, compared with EEVDF in that repeat."""
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

    def _result(self, trial: Trial, measurements: list[Measurement], at: int | None = None) -> BenchResult:
        """Return a trial's result, compared with EEVDF's repeat ``at``, or with the median of its repeats so far."""
        eevdf = Trial(Policy(EEVDF), trial.workload, trial.machine, trial.scale, trial.seed)
        baseline = self._found.get(eevdf.digest, [])
        if at is not None:
            baseline = baseline[at : at + 1]
        return BenchResult(
            policy=trial.policy,
            workload=trial.workload,
            objective=catalogue.find_objective(trial.workload, self.suite.objective),
            seed=trial.seed,
            measured=median_of(measurements),
            baseline=median_of(baseline) if baseline else None,
            repeats=len(measurements),
        )
