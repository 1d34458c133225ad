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

from schedcp_gym.lab import catalogue
from schedcp_gym.lab.attempts import run_job
from schedcp_gym.lab.compiler import CompileError, compile_policy, find_clang, object_key
from schedcp_gym.lab.store import TrialStore, shared_store
from schedcp_gym.lab.trial_job import build_job, runner_digest, to_measurement
from schedcp_gym.machine import Machine
from schedcp_gym.machine.image import Image, ensure_image
from schedcp_gym.spec import Clock, MachineSpec, Measurement, Outcome, Trial
from schedcp_gym.spec.digest import digest

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
        report: Report | None = None,
    ) -> None:
        """Prepares a lab; nothing is built or booted yet.

        Args:
            workers: Trials measured at once; the host's CPUs if None.
            cache: Whether stored measurements may be used.
            cold: Boot for each trial instead of restoring a snapshot.
            keep: Whether new measurements are stored.
            report: Told of the image's build: a step's text and the share done.
        """
        self.workers = workers or os.cpu_count() or 1
        self.cache = cache
        self.cold = cold
        self.keep = keep
        self._report: Report = report or _silent
        self._machines: dict[str, Machine] = {}
        self._images: dict[str, Image] = {}
        self._lock = threading.Lock()

    def __deepcopy__(self, memo: dict[int, object]) -> "Lab":
        """The lab itself: it is a place, not a value (Gymnasium copies an environment's arguments)."""
        return self

    def image(self, kernel: str) -> Image:
        """The image for a kernel setting, built when missing.

        Raises:
            SchedcpError: It can't be built.
        """
        with self._lock:
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
    def store(self) -> TrialStore:
        """Where measurements are kept."""
        return shared_store()

    def key(self, trial: Trial) -> str:
        """SHA-256 (hex) of all that a trial's measurement follows from.

        Raises:
            SchedcpError: QEMU, the image or the compiler is missing and can't be had.
        """
        return digest(self._all_digests(trial))

    def stop(self) -> None:
        """Ends all that runs, for good: for who breaks off."""
        with self._lock:
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

        def measure(indices: list[int]) -> Measurement:
            measurement = self._measure(trials[indices[0]])
            if done:
                for index in indices:
                    done(index, measurement)
            return measurement

        if len(places) == 1 or self.workers == 1:
            found = {key: measure(indices) for key, indices in places.items()}
        else:
            found = self._measure_at_once(places, measure)
        return [found[trial.digest] for trial in trials]

    def _measure_at_once(
        self, places: dict[str, list[int]], measure: Callable[[list[int]], Measurement]
    ) -> dict[str, Measurement]:
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="lab")
        futures = {key: pool.submit(measure, indices) for key, indices in places.items()}
        try:
            return {key: future.result() for key, future in futures.items()}
        except BaseException:
            for future in futures.values():
                future.cancel()
            self.stop()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _measure(self, trial: Trial) -> Measurement:
        """Measures a trial, unless the store has it, or somebody is measuring it already: then their result is ours."""
        key, store = self.key(trial), self.store
        if trial.machine.clock is Clock.REAL or self.cold or not self.cache:
            return self._kept(key, trial, self.run(trial))
        if stored := store.read(key):
            return stored
        with store.claim(key) as claim:
            machine = self.machine(trial.machine)
            if claim.wait(unless=lambda: machine.stopped) and (stored := store.read(key)):
                return stored
            return self._kept(key, trial, self.run(trial))

    def _kept(self, key: str, trial: Trial, measurement: Measurement) -> Measurement:
        """Stores a measurement, if a second one would be the same or is a measurement of its own (real clock)."""
        if not self.keep or not _is_repeatable(measurement):
            return measurement
        if trial.machine.clock is Clock.REAL:
            key = digest([key, uuid.uuid4().hex])
        elif not self.cache and (before := self.store.read(key)) and before.exact() != measurement.exact():
            log.warning(
                "%s on %s gave another measurement than the stored one, which it replaces (trial %s)",
                *(trial.policy.name, trial.workload.name, trial.digest[:12]),
            )
        self.store.write(key, trial, measurement)
        return measurement

    def _all_digests(self, trial: Trial) -> dict[str, str]:
        digests = {**self.digests(trial), "runner": runner_digest()}
        if not trial.policy.is_eevdf:
            digests["policy"] = hashlib.sha256(trial.policy.source.encode()).hexdigest()
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
        digests = self._all_digests(trial)
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
