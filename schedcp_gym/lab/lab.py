"""The lab: trials in, measurements out."""

import dataclasses
import hashlib
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from schedcp_gym.lab import catalogue
from schedcp_gym.lab.attempts import run_job
from schedcp_gym.lab.cluster import Ray
from schedcp_gym.lab.compiler import CompileError, compile_policy, find_clang, object_key
from schedcp_gym.lab.cores import own_cores
from schedcp_gym.lab.store import TrialStore, shared_store
from schedcp_gym.lab.trial_job import build_job, runner_digest, to_measurement
from schedcp_gym.machine import Machine
from schedcp_gym.machine.image import Image, ensure_image
from schedcp_gym.spec import Clock, MachineSpec, Measurement, Outcome, Trial, source_sha256
from schedcp_gym.spec.digest import digest

if TYPE_CHECKING:
    from schedcp_gym.lab.cluster.pool import Pool

log = logging.getLogger(__name__)

Report = Callable[[str, float], None]


class Lab:
    """Measures trials, several at once, each one only once.

    Safe to share between threads.
    """

    def __init__(
        self,
        *,
        workers: int | None = None,
        cache: bool = True,
        cold: bool = False,
        keep: bool = True,
        ray: Ray | None = None,
        report: Report | None = None,
    ) -> None:
        """Prepares a lab; nothing is built or booted yet.

        Args:
            workers: Trials measured at once; the host's CPUs if None. On Ray: as many as there is room for.
            cache: Whether stored measurements may be used.
            cold: Boot for each trial instead of restoring a snapshot.
            keep: Whether new measurements are stored.
            ray: The cluster that measures; None: threads of this process.
            report: Told of the image's build: a step's text and the share done.
        """
        self._workers = workers or os.cpu_count() or 1
        self.ray = ray
        self._pool: Pool | None = None
        self.cache = cache
        self.cold = cold
        self.keep = keep
        self._report: Report = report or _silent
        self._machines: dict[str, Machine] = {}
        self._images: dict[str, Image] = {}
        self.stopped = False
        self._lock = threading.Lock()
        self._image_lock = threading.Lock()

    def __deepcopy__(self, memo: dict[int, object]) -> "Lab":
        """The lab itself: it is a place, not a value (Gymnasium copies an environment's arguments)."""
        return self

    def branch(self) -> "Lab":
        """A lab of the same settings and images beside this one: what runs in it can be stopped by itself."""
        beside = Lab(
            workers=self._workers, cache=self.cache, cold=self.cold, keep=self.keep, ray=self.ray, report=self._report
        )
        beside._images = self._images
        beside._image_lock = self._image_lock
        return beside

    def image(self, kernel: str) -> Image:
        """The image for a kernel setting, built when missing.

        Raises:
            SchedcpError: It can't be built.
        """
        with self._image_lock:
            if kernel not in self._images:
                self._images[kernel] = ensure_image(catalogue.image_inputs(kernel), self._report)
            return self._images[kernel]

    def machine(self, spec: MachineSpec) -> Machine:
        """The machine of a spec.

        Raises:
            SchedcpError: QEMU or the image is missing and can't be had.
        """
        image = self.image(spec.kernel)
        with self._lock:
            key = digest(spec)
            if key not in self._machines:
                self._machines[key] = Machine(spec, image)
                if self.stopped:
                    self._machines[key].stop()
            return self._machines[key]

    def digests(self, trial: Trial) -> dict[str, str]:
        """What is needed to repeat a trial's run, but for its policy and what watches it.

        Raises:
            SchedcpError: QEMU or the image is missing and can't be had.
        """
        machine = self.machine(trial.machine)
        return {
            "trial": trial.digest,
            "image": machine.image.digest,
            "machine": machine.digest,
            "kernel": machine.image.kernel,
            "qemu": machine.qemu.text,
            "workload": trial.workload.digest,
        }

    @property
    def workers(self) -> int:
        """Trials measured at once."""
        return self.pool.room if self.ray else self._workers

    @property
    def pool(self) -> "Pool":
        """The cluster's nodes, connected to when first asked for.

        Raises:
            SchedcpError: There is no such cluster.
        """
        from schedcp_gym.lab.cluster.pool import Pool

        if self._pool is None:
            self._pool = Pool(self, self.ray or Ray(address="local"))
        return self._pool

    @property
    def store(self) -> TrialStore:
        """Where measurements are kept."""
        return shared_store()

    def key(self, trial: Trial) -> str:
        """SHA-256 (hex) of all that a trial's measurement follows from.

        Raises:
            SchedcpError: QEMU, the image or the compiler is missing and can't be had.
        """
        return digest(self.parts(trial))

    def stop(self) -> None:
        """Ends all that runs, for good: for who breaks off."""
        with self._lock:
            self.stopped = True
            machines = list(self._machines.values())
        for machine in machines:
            machine.stop()

    def measure(
        self, trials: Sequence[Trial], done: Callable[[int, Measurement], None] | None = None
    ) -> list[Measurement]:
        """Measures trials, in parallel; the order is kept.

        A bad policy is an outcome. A fault of the host is retried, then marked ``infra_fault``, never scored.

        Args:
            trials: What to measure; equal trials are measured once.
            done: Called with index and measurement as each is there, from the thread that measured.

        Raises:
            SchedcpError: Image, QEMU or compiler is missing: nothing can be measured.
        """
        for spec in {digest(trial.machine): trial.machine for trial in trials}.values():
            self.machine(spec)
        places: dict[str, list[int]] = {}
        for index, trial in enumerate(trials):
            places.setdefault(trial.digest, []).append(index)
        indices = list(places.values())

        def tell(number: int, measured: tuple[Measurement, ...]) -> None:
            if done:
                for index in indices[number]:
                    done(index, measured[0])

        found = self._carry_out([(trials[at[0]],) for at in indices], tell)
        by_digest = dict(zip(places, found, strict=True))
        return [by_digest[trial.digest][0] for trial in trials]

    def measure_in_turn(self, groups: Sequence[tuple[Trial, ...]]) -> list[tuple[Measurement, ...]]:
        """Measures groups of trials on the real clock: those of a group one after the other, on the same cores.

        Args:
            groups: What to measure; nothing is left out, though it may be equal.

        Raises:
            SchedcpError: Image, QEMU or compiler is missing: nothing can be measured.
        """
        return self._carry_out(groups, lambda _number, _measured: None)

    def _carry_out(
        self, groups: Sequence[tuple[Trial, ...]], done: Callable[[int, tuple[Measurement, ...]], None]
    ) -> list[tuple[Measurement, ...]]:
        """Measures groups, each in one place; the order is kept."""
        found: dict[int, tuple[Measurement, ...]] = {}

        def note(number: int, measured: tuple[Measurement, ...]) -> None:
            found[number] = measured
            done(number, measured)

        if self.ray:
            self.pool.measure(groups, note)
        elif len(groups) == 1 or self.workers == 1:
            for number, group in enumerate(groups):
                note(number, self._measure_group(group))
        else:
            self._measure_at_once(groups, note)
        return [found[number] for number in range(len(groups))]

    def _measure_at_once(
        self, groups: Sequence[tuple[Trial, ...]], note: Callable[[int, tuple[Measurement, ...]], None]
    ) -> None:
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="lab")

        def measure(number: int, group: tuple[Trial, ...]) -> None:
            note(number, self._measure_group(group))

        futures = [pool.submit(measure, number, group) for number, group in enumerate(groups)]
        try:
            for future in futures:
                future.result()
        except BaseException:
            for future in futures:
                future.cancel()
            self.stop()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _measure_group(self, group: tuple[Trial, ...]) -> tuple[Measurement, ...]:
        if len(group) == 1:
            return (self._measure(group[0]),)
        return tuple(self.keep_measured(trial, one) for trial, one in zip(group, self.run_in_turn(group), strict=True))

    def is_kept(self, trial: Trial) -> bool:
        """Whether a stored measurement of the trial is as good as a new one."""
        return trial.machine.clock is Clock.VIRTUAL and self.cache and not self.cold

    def _measure(self, trial: Trial) -> Measurement:
        """Measures a trial, unless the store has it, or somebody is measuring it already: then their result is ours."""
        if not self.is_kept(trial):
            return self.keep_measured(trial, *self.run_in_turn((trial,)))
        key, store = self.key(trial), self.store
        if stored := store.read(key):
            return stored
        with store.claim(key) as claim:
            machine = self.machine(trial.machine)
            if claim.wait(unless=lambda: machine.stopped) and (stored := store.read(key)):
                return stored
            return self.keep_measured(trial, self.run(trial))

    def keep_measured(self, trial: Trial, measurement: Measurement) -> Measurement:
        """Stores a measurement, if a second one would be the same or is a measurement of its own (real clock)."""
        if not self.keep or not _is_repeatable(measurement):
            return measurement
        key = self.key(trial)
        if trial.machine.clock is Clock.REAL:
            key = digest([key, uuid.uuid4().hex])
        elif not self.cache and (before := self.store.read(key)) and before.exact() != measurement.exact():
            log.warning(
                "%s on %s gave another measurement than the stored one, which it replaces (trial %s)",
                *(trial.policy.name, trial.workload.name, trial.digest[:12]),
            )
        self.store.write(key, trial, measurement)
        return measurement

    def run_in_turn(self, trials: Sequence[Trial]) -> tuple[Measurement, ...]:
        """Runs trials here and now, one after the other; on the real clock on cores of their own, and watched.

        Raises:
            SchedcpError: Image, QEMU or compiler is missing.
        """
        if trials[0].machine.clock is Clock.VIRTUAL:
            return tuple(map(self.run, trials))
        self.machine(trials[0].machine)  # finding out whether KVM works is no part of a trial
        found = []
        with own_cores(trials[0].machine.cpus) as cores:
            for trial in trials:
                with cores.watched() as disturbance:
                    measurement = self.run(trial)
                found.append(
                    dataclasses.replace(measurement, host=disturbance.figures(), contaminated=disturbance.contaminates)
                )
        return tuple(found)

    def parts(self, trial: Trial) -> dict[str, str]:
        """Digests and versions of all that a trial's measurement follows from, by name.

        Raises:
            SchedcpError: QEMU, the image or the compiler is missing and can't be had.
        """
        digests = {**self.digests(trial), "runner": runner_digest()}
        if not trial.policy.is_eevdf:
            digests["policy"] = source_sha256(trial.policy.source)
            digests["clang"] = find_clang().version
            digests["compiling"] = object_key(trial.policy.source, self.machine(trial.machine).image)
        return digests

    def run(self, trial: Trial) -> Measurement:
        """Runs a trial here and now, whatever the store has.

        Raises:
            SchedcpError: Image, QEMU or compiler is missing.
        """
        began = time.monotonic()
        machine = self.machine(trial.machine)
        digests = self.parts(trial)
        digests.pop("compiling", None)
        compiled = None
        if not trial.policy.is_eevdf:
            try:
                compiled = compile_policy(trial.policy.source, machine.image)
            except CompileError as error:
                return self._rejected(trial, error, digests, began)
            digests["object"] = hashlib.sha256(compiled).hexdigest()
        result = run_job(machine, build_job(trial, compiled), cold=self.cold)
        measurement = to_measurement(trial, result, digests)
        timings = {**measurement.timings_s, "total": time.monotonic() - began}
        return dataclasses.replace(measurement, timings_s=timings)

    def _rejected(self, trial: Trial, error: CompileError, digests: dict[str, str], began: float) -> Measurement:
        return Measurement(
            trial=trial.digest,
            outcome=Outcome.REJECTED,
            message=f"compile: {error.first}",
            log=str(error),
            digests=digests,
            timings_s={"restore": 0.0, "job": 0.0, "total": time.monotonic() - began},
        )


def _silent(_text: str, _share: float) -> None:
    """Reports to nobody."""


def _is_repeatable(measurement: Measurement) -> bool:
    """Whether a second run would give the same: a limit of host time, or a host's fault, would not."""
    if measurement.outcome is Outcome.TIMEOUT:
        return measurement.job_s is not None
    # What the compiler refuses is told again at little cost, and may have been a limit of host time.
    compiled = measurement.outcome is not Outcome.REJECTED or "object" in measurement.digests
    return compiled and measurement.outcome is not Outcome.INFRA_FAULT
