"""Recording a table: measure every configuration, then the fidelity."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from schedcp_gym.envs.choice import Choice, load_choices
from schedcp_gym.envs.observation import nameable
from schedcp_gym.envs.tables.answers import Answers
from schedcp_gym.envs.tables.fidelity import draw_policies, fidelity_of
from schedcp_gym.envs.tables.file import About, Table
from schedcp_gym.envs.tables.plan import plan
from schedcp_gym.lab import Lab
from schedcp_gym.lab.store import Config, Stored
from schedcp_gym.spec import (
    EEVDF,
    BadInput,
    Clock,
    MachineSpec,
    Measurement,
    Outcome,
    Policy,
    Scale,
    SchedcpError,
    Trial,
    Workload,
    source_sha256,
)

#: Seed of the draw of the actions for the fidelity.
DRAW = 1


@dataclass(frozen=True)
class Recording:
    """The settings of a recording.

    Attributes:
        workload: The workload.
        machine: Machine of the trials; its clock must be virtual.
        scale: Scale of the trials.
        seeds: The workload seeds.
        points: Number of configurations for each seed.
        actions: Number of random actions for each seed that measure the fidelity; 0: the fidelity is not measured.
    """

    workload: Workload
    machine: MachineSpec = field(default_factory=MachineSpec)
    scale: Scale = Scale.SMOKE
    seeds: tuple[int, ...] = (0,)
    points: int = 400
    actions: int = 64

    def trial(self, policy: Policy, seed: int) -> Trial:
        """Return the trial of a policy with a workload seed."""
        return Trial(policy, self.workload, self.machine, self.scale, seed)


class Recorder:
    """Records a table with a lab. The lab's store keeps measurements, so an interrupted recording can be resumed."""

    def __init__(self, recording: Recording, lab: Lab) -> None:
        """Plan the table; nothing is measured yet.

        Raises:
            BadInput: The machine's clock is not virtual, or there are too few points.
        """
        if recording.machine.clock is not Clock.VIRTUAL:
            raise BadInput("a table needs the virtual clock: on the real clock its answers would not be exact")
        self.recording = recording
        self.lab = lab
        self.choices: tuple[Choice, ...] = load_choices()
        self._points = plan(self.choices, recording.points)

    def record(self, begin: Callable[[int], None], done: Callable[[Measurement], None]) -> Table:
        """Measure what the store does not hold, and return the table.

        Args:
            begin: Called once, with the number of measurements.
            done: Called with each measurement, from the thread that measured it.

        Raises:
            SchedcpError: A trial can't be measured. The store keeps the others; a second call measures only the rest.
        """
        what = self.recording
        names = {seed: nameable(baseline) for seed, baseline in zip(what.seeds, self._baselines(), strict=True)}
        trials = {
            trial.digest: trial
            for seed in what.seeds
            for trial in (what.trial(point.policy(names[seed]), seed) for point in self._points)
        }
        probes = self._probes(list(trials.values()), names)
        begin(len(trials) + len(probes))
        wanted = [*trials.values(), *probes]
        measured = self.lab.measure(wanted, lambda _, one: done(one))
        _refuse_faults(measured)
        rows = [
            Stored(self.lab.key(trial), 0.0, Config.of(trial), one)
            for trial, one in zip(wanted[: len(trials)], measured, strict=False)
        ]
        return self._with_fidelity(rows, list(zip(probes, measured[len(trials) :], strict=True)))

    def _baselines(self) -> list[Measurement]:
        what = self.recording
        found = self.lab.measure([what.trial(Policy(EEVDF), seed) for seed in what.seeds])
        _refuse_faults(found)
        for one in found:
            if not one.ok:
                raise SchedcpError(f"{what.workload.name} can't be measured under EEVDF: {one.outcome}: {one.message}")
        return found

    def _probes(self, recorded: Sequence[Trial], names: dict[int, list[str]]) -> list[Trial]:
        what, found = self.recording, []
        for number, seed in enumerate(what.seeds):
            policies = [trial.policy for trial in recorded if trial.seed == seed]
            drawn = draw_policies(self.choices, names[seed], policies, what.actions, DRAW + number)
            found += [what.trial(policy, seed) for policy in drawn]
        return found

    def _with_fidelity(self, rows: Sequence[Stored], probed: Sequence[tuple[Trial, Measurement]]) -> Table:
        table = Table(self._about(rows[0].measurement), tuple(rows))
        if not probed:
            return table
        workload = self.recording.workload
        answers = {seed: Answers(table, seed, self.choices) for seed in self.recording.seeds}
        asked = [(answers[trial.seed], trial.policy, one) for trial, one in probed]
        fidelity = fidelity_of(workload, workload.objective, asked, DRAW)
        return Table(dataclasses.replace(table.about, fidelity=fidelity), table.rows)

    def _about(self, first: Measurement) -> About:
        what = self.recording
        return About(
            workload=what.workload.name,
            workload_digest=what.workload.digest,
            scale=what.scale,
            machine=what.machine,
            seeds=what.seeds,
            points=what.points,
            digests={name: first.digests[name] for name in ("image", "machine", "kernel", "qemu")},
            sources={choice.name: source_sha256(choice.source) for choice in self.choices},
        )


def _refuse_faults(measured: Sequence[Measurement]) -> None:
    """Raise an error if the host failed, because a table holds only measurements that can be repeated."""
    faults = [one for one in measured if one.outcome is Outcome.INFRA_FAULT]
    if faults:
        raise SchedcpError(
            f"the host failed in {len(faults)} of {len(measured)} trials ({faults[0].message}); "
            "the store keeps the rest: repeat the command to measure what is missing"
        )
