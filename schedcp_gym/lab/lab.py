"""The lab: trials in, measurements out. A trial's way: plan, compile, look up, execute, keep."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from schedcp_gym.lab.compiled import compile_trial, digests_of, parts_of
from schedcp_gym.lab.execute import Executor, Local, execute
from schedcp_gym.lab.keep import Keeper
from schedcp_gym.lab.machines import Machines, Progress
from schedcp_gym.lab.plan import Group, Plan
from schedcp_gym.lab.store import TrialStore, shared_store
from schedcp_gym.machine import Machine
from schedcp_gym.machine.image import Image
from schedcp_gym.spec import MachineSpec, Measurement, Trial
from schedcp_gym.spec.digest import digest

#: Threads at most: each carries one group of trials, and mostly waits.
MOST_THREADS = 1024
#: Seconds between two looks at how many jobs the executor has room for.
LOOK_S = 5.0

#: Called with a group's number and its measurements.
GroupDone = Callable[[int, tuple[Measurement, ...]], None]


class Lab:
    """Measures trials, several at once, each one only once. Safe to share between threads.

    Example:
        >>> lab = Lab(workers=2)
        >>> eevdf, mine = lab.measure([Trial(Policy("eevdf"), workload), Trial(policy, workload)])
    """

    def __init__(
        self,
        *,
        workers: int | None = None,
        cache: bool = True,
        cold: bool = False,
        keep: bool = True,
        executor: Executor | None = None,
        report: Progress | None = None,
    ) -> None:
        """Prepare a lab; nothing is built or booted yet.

        Args:
            workers: Trials measured at once in this process; the host's CPUs if None.
            cache: Whether stored measurements may be used.
            cold: Boot for each trial instead of restoring a snapshot.
            keep: Whether new measurements are stored.
            executor: Runs the trials in place of this process, for example
                :class:`~schedcp_gym.lab.cluster.executor.RayExecutor`; ``workers`` does not count then.
            report: Receives the progress of the image's build: a step's text and the share done (0 to 1).
        """
        self.cache = cache
        self.cold = cold
        self.executor: Executor = executor or Local(workers or os.cpu_count() or 1)
        self._keep = keep
        self._machines = Machines(report or _ignore)
        self._keeper = Keeper(lambda: self.store, reads=cache and not cold, writes=keep)

    def __deepcopy__(self, memo: dict[int, object]) -> "Lab":
        """Return the lab itself: it is a place, not a value (Gymnasium copies an environment's arguments)."""
        return self

    def branch(self) -> "Lab":
        """Return a lab with the same settings and images; stopping it stops none of this one's trials."""
        beside = Lab(cache=self.cache, cold=self.cold, keep=self._keep, executor=self.executor)
        beside._machines = self._machines.branch()
        return beside

    @property
    def workers(self) -> int:
        """Return how many trials on the virtual clock are measured at once."""
        return self.executor.workers

    @property
    def store(self) -> TrialStore:
        """Return the store that measurements are read from and written to."""
        return shared_store()

    @property
    def stopped(self) -> bool:
        """Return whether the lab was stopped."""
        return self._machines.stopped

    def stop(self) -> None:
        """Stop all running trials permanently, for example after Ctrl-C."""
        self._machines.stop()

    def image(self, kernel: str) -> Image:
        """Return the image for a kernel setting, built when missing.

        Raises:
            SchedcpError: It can't be built.
        """
        return self._machines.image(kernel)

    def machine(self, spec: MachineSpec) -> Machine:
        """Return the machine of a spec.

        Raises:
            SchedcpError: QEMU or the image is missing and can't be had.
        """
        return self._machines.machine(spec)

    def digests(self, trial: Trial) -> dict[str, str]:
        """Return what is needed to repeat a trial's run, without its policy and without what watches it.

        Raises:
            SchedcpError: QEMU or the image is missing and can't be had.
        """
        return digests_of(trial, self.machine(trial.machine))

    def parts(self, trial: Trial) -> dict[str, str]:
        """Return the digests and versions of all that a trial's measurement follows from, by name.

        Raises:
            SchedcpError: QEMU, the image or the compiler is missing and can't be had.
        """
        return parts_of(trial, self.machine(trial.machine))

    def key(self, trial: Trial) -> str:
        """Return the SHA-256 (hex) of all that a trial's measurement follows from.

        Raises:
            SchedcpError: QEMU, the image or the compiler is missing and can't be had.
        """
        return digest(self.parts(trial))

    def measure(
        self, trials: Sequence[Trial], done: Callable[[int, Measurement], None] | None = None
    ) -> list[Measurement]:
        """Measure trials in parallel; the order is kept.

        A bad policy is an outcome, not an error. A fault of the host is retried, then marked ``infra_fault``.

        Args:
            trials: What to measure; equal trials are measured once.
            done: Called with index and measurement as soon as each is there, from the thread that measured.

        Raises:
            SchedcpError: Image, QEMU or compiler is missing: nothing can be measured.
        """
        plan, tell = Plan.of(trials), done or _ignore

        def group_done(number: int, measured: tuple[Measurement, ...]) -> None:
            for index in plan.places[number]:
                tell(index, measured[0])

        return plan.in_order(self._carry_out(plan.groups, group_done))

    def measure_in_turn(self, groups: Sequence[Group]) -> list[tuple[Measurement, ...]]:
        """Measure groups of trials on the real clock: those of a group one after the other, on the same cores.

        Args:
            groups: What to measure; equal trials are measured again.

        Raises:
            SchedcpError: Image, QEMU or compiler is missing: nothing can be measured.
        """
        return self._carry_out(groups, _ignore)

    def _carry_out(self, groups: Sequence[Group], done: GroupDone) -> list[tuple[Measurement, ...]]:
        """Measure groups, as many at once as the executor has room for; the order is kept."""
        for spec in {digest(group[0].machine): group[0].machine for group in groups}.values():
            self.machine(spec)  # what is missing is said before anything runs
        found: dict[int, tuple[Measurement, ...]] = {}

        def carry(number: int) -> None:
            found[number] = self._measure_group(groups[number])
            done(number, found[number])

        if len(groups) == 1 or self._room == 1:
            for number in range(len(groups)):
                carry(number)
        else:
            self._at_once(carry, len(groups))
        return [found[number] for number in range(len(groups))]

    def _measure_group(self, group: Group) -> tuple[Measurement, ...]:
        """Take one group all the way."""
        trials = [compile_trial(trial, self.machine(trial.machine)) for trial in group]
        with self._keeper.look_up(trials) as stored:
            return stored or self._keeper.keep(trials, execute(self.executor, trials, cold=self.cold))

    @property
    def _room(self) -> int:
        return min(self.executor.workers * self.executor.ahead, MOST_THREADS)

    def _at_once(self, carry: Callable[[int], None], count: int) -> None:
        """Call a function with 0 … count - 1, each call in a thread; all machines stop when one call fails."""
        running: set[Future[None]] = set()
        with ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="lab") as pool:
            try:
                for number in range(count):
                    while len(running) >= self._room:
                        running = _without_ended(running)
                    running.add(pool.submit(carry, number))
                while running:
                    running = _without_ended(running)
            except BaseException:
                self.stop()
                raise


def _without_ended(running: set[Future[None]]) -> set[Future[None]]:
    """Wait for a call to end; return those that go on.

    Raises:
        BaseException: What a call has raised.
    """
    ended, others = wait(running, timeout=LOOK_S, return_when=FIRST_COMPLETED)
    for future in ended:
        future.result()
    return others


def _ignore(_first: object, _second: object) -> None:
    """Do nothing: for callers that want no reports."""
