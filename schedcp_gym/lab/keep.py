"""Look up and keep: what is stored is not measured again, and what is new is stored."""

import contextlib
import logging
import uuid
from collections.abc import Callable, Iterator, Sequence

from schedcp_gym.lab.compiled import Compiled
from schedcp_gym.lab.store import TrialStore
from schedcp_gym.spec import Clock, Measurement, Outcome
from schedcp_gym.spec.digest import digest

log = logging.getLogger(__name__)


class Keeper:
    """Reads measurements from the trial store and writes them there, as far as its settings allow."""

    def __init__(self, store: Callable[[], TrialStore], *, reads: bool, writes: bool) -> None:
        """Prepare the keeper.

        Args:
            store: Returns the store.
            reads: Whether stored measurements may be used.
            writes: Whether new measurements are stored.
        """
        self._store = store
        self._reads = reads
        self._writes = writes

    @contextlib.contextmanager
    def look_up(self, trials: Sequence[Compiled]) -> Iterator[tuple[Measurement, ...] | None]:
        """Yield the stored measurement of a trial; None if it has to be measured.

        Nobody else measures the trial until the block ends. When another thread or process is measuring it already,
        this waits for the result. On the real clock every measurement is another one, so nothing is looked up.
        """
        one, *others = trials
        if others or not self._reads or one.verdict or one.trial.machine.clock is Clock.REAL:
            yield None
        elif stored := self._store().read(one.key):
            yield (stored,)
        else:
            with self._store().claimed(one.key, unless=lambda: one.machine.stopped) as claimed:
                stored = self._store().read(one.key) if claimed else None
                yield (stored,) if stored else None

    def keep(self, trials: Sequence[Compiled], measured: tuple[Measurement, ...]) -> tuple[Measurement, ...]:
        """Store measurements, without those that a second run need not give; return them."""
        for one, measurement in zip(trials, measured, strict=True):
            if self._writes and _is_repeatable(measurement):
                self._keep(one, measurement)
        return measured

    def _keep(self, one: Compiled, measurement: Measurement) -> None:
        store, trial, key = self._store(), one.trial, one.key
        if trial.machine.clock is Clock.REAL:
            key = digest([key, uuid.uuid4().hex])
        elif not self._reads and (before := store.read(key)) and before.exact() != measurement.exact():
            log.warning(
                "%s on %s gave another measurement than the stored one, which it replaces (trial %s)",
                *(trial.policy.name, trial.workload.name, trial.digest[:12]),
            )
        store.write(key, trial, measurement)


def _is_repeatable(measurement: Measurement) -> bool:
    """Return whether a second run would give the same: a limit of host time, or a fault of the host, would not."""
    if measurement.outcome is Outcome.TIMEOUT:
        return measurement.job_s is not None
    # Compiling again costs little, and what the compiler refused may have been a limit of host time.
    compiled = measurement.outcome is not Outcome.REJECTED or "object" in measurement.digests
    return compiled and measurement.outcome is not Outcome.INFRA_FAULT
