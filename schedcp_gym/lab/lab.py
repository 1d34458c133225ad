"""The lab: trials in, measurements out."""

import dataclasses
import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from schedcp_gym.lab import catalogue
from schedcp_gym.lab.attempts import run_job
from schedcp_gym.lab.compiler import CompileError, compile_policy, find_clang
from schedcp_gym.lab.store import MEASUREMENTS
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
        self, *, workers: int | None = None, cache: bool = True, cold: bool = False, report: Report | None = None
    ) -> None:
        """Prepares a lab; nothing is built or booted yet.

        Args:
            workers: Trials measured at once; the host's CPUs if None.
            cache: Whether stored measurements may be used (new ones are stored in any case).
            cold: Boot for each trial instead of restoring a snapshot.
            report: Told of the image's build: a step's text and the share done.
        """
        self.workers = workers or os.cpu_count() or 1
        self.cache = cache
        self.cold = cold
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
        beside = Lab(workers=self.workers, cache=self.cache, cold=self.cold, report=self._report)
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
        began = time.monotonic()
        machine = self.machine(trial.machine)
        digests = {**self.digests(trial), "runner": runner_digest()}
        compiled = None
        if not trial.policy.is_eevdf:
            digests["policy"] = hashlib.sha256(trial.policy.source.encode()).hexdigest()
            digests["clang"] = find_clang().version
            try:
                compiled = compile_policy(trial.policy.source, machine.image)
            except CompileError as error:
                return self._rejected(trial, error, digests, began)
            digests["object"] = hashlib.sha256(compiled).hexdigest()
        exact = trial.machine.clock is Clock.VIRTUAL
        key = digest(digests)
        if exact and self.cache and not self.cold and (stored := MEASUREMENTS.read(key)):
            return stored
        measurement = self._run(trial, machine, compiled, digests, began)
        if exact and _is_repeatable(measurement):
            MEASUREMENTS.write(key, measurement)
        return measurement

    def _run(
        self, trial: Trial, machine: Machine, compiled: bytes | None, digests: dict[str, str], began: float
    ) -> Measurement:
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
    return measurement.outcome is not Outcome.INFRA_FAULT
