"""The watcher: from a container that appears to a run that looks for a better scheduler."""

import asyncio
import errno
import re
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schedcp_gym.control.trigger.journal import Journal
from schedcp_gym.control.trigger.match import OncePer, Rule, find
from schedcp_gym.control.trigger.processes import Process, processes_of
from schedcp_gym.control.trigger.runs import Order, Slots, folder_name
from schedcp_gym.control.trigger.runtimes import Container, Runtimes
from schedcp_gym.control.trigger.tree import CgroupTree, Change, Kind
from schedcp_gym.spec import BadInput, SchedcpError

MOUNTS = Path("/proc/self/mountinfo")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
#: How often a container that no rule fits is looked at: what it starts with need not be what it is for (a shell that
#: fetches things first). The time between doubles.
LOOKS = 6
LEAST_WAIT_S = 1.0
#: Process names shown of a container that no rule fits.
SHOWN = 6


@dataclass(frozen=True)
class Plan:
    """How a watcher acts.

    Attributes:
        rules: Which workload a container is.
        agent: Who optimises, unless a rule says otherwise.
        overrides: Settings for every run; a rule's own come after them.
        settle_s: Seconds a container must have had processes.
        existing: Whether containers that are there at the start count as new.
        once: Whether it ends when those that are there at the start are done with.
        dry: Whether it only tells what it would start.
    """

    rules: Sequence[Rule]
    agent: str
    overrides: tuple[str, ...] = ()
    settle_s: float = 10.0
    existing: bool = False
    once: bool = False
    dry: bool = False


class Watcher:
    """Follows a cgroup tree, and starts runs."""

    def __init__(self, root: Path, runtimes: Runtimes, plan: Plan, slots: Slots, journal: Journal) -> None:
        """Opens nothing yet.

        Args:
            root: The cgroup tree's root.
            runtimes: Which cgroups are containers.
            plan: How to act.
            slots: Where runs run.
            journal: What was seen and done.
        """
        self._root = root
        self._runtimes = runtimes
        self._plan = plan
        self._slots = slots
        self._journal = journal
        self._stopping = asyncio.Event()
        self._settling: dict[str, asyncio.Task[None]] = {}  # by cgroup
        self._running: set[asyncio.Task[None]] = set()
        self._fault: BaseException | None = None
        self.failed = 0  # runs
        self.interrupted: list[Order] = []

    @property
    def is_running(self) -> bool:
        """Whether there are runs, or some that wait."""
        return bool(self._running)

    def stop(self) -> None:
        """Ends: interrupts runs under way, starts no others. When called again, kills them."""
        self._slots.stop(hurry=self._stopping.is_set())
        self._stopping.set()

    async def watch(self) -> None:
        """Watches until :meth:`stop`, or, with ``once``, until there is nothing left to do.

        Raises:
            SchedcpError: The tree can't be followed; runs under way were interrupted.
        """
        try:
            with CgroupTree(self._root, self._runtimes.is_container) as self._tree:
                self._begin()
                follow = asyncio.ensure_future(self._follow())
                ends: list[asyncio.Task[Any]] = [asyncio.ensure_future(self._stopping.wait())]
                if self._plan.once:
                    ends.append(asyncio.ensure_future(self._idle()))
                try:
                    await asyncio.wait({follow, *ends}, return_when=asyncio.FIRST_COMPLETED)
                    if follow.done():
                        follow.result()
                finally:
                    await self._finish(follow, *ends)
            if self._fault:
                raise self._fault
        except OSError as error:
            raise _told(error, self._root) from None

    def _begin(self) -> None:
        self._tree.scan()
        there = self._tree.populated()
        self._journal.add("watching", root=str(self._root), cgroups=len(self._tree), containers=len(there))
        if not self._plan.dry:
            for order, last in self._journal.unfinished():
                self._go_on(order, str(last.get("cgroup", "")), begun=last["kind"] != "queued")
        if self._plan.existing or self._plan.once:
            for cgroup in there:
                self._appeared(cgroup)

    def _go_on(self, order: Order, cgroup: str, *, begun: bool) -> None:
        """Takes up an order of an earlier watcher: what was begun is ended, also when the container is gone."""
        self._spawn(self._carry_out(order, cgroup, begun=begun))

    async def _follow(self) -> None:
        async for change in self._tree.changes():
            self._heed(change)

    def _heed(self, change: Change) -> None:
        if change.kind is Kind.POPULATED:
            if not self._plan.once:
                self._appeared(change.cgroup)
        elif task := self._settling.pop(change.cgroup, None):
            task.cancel()
            container = self._container(change.cgroup)
            self._journal.add("dropped", **_of(container), why=f"{change.kind} before it had settled")

    def _appeared(self, cgroup: str) -> None:
        container = self._container(cgroup)
        self._journal.add("appeared", **_of(container))
        self._settling[cgroup] = task = asyncio.ensure_future(self._settle(container))
        task.add_done_callback(self._check)

    async def _settle(self, container: Container) -> None:
        try:
            found = await self._identify(container)
        finally:
            if self._settling.get(container.cgroup) is asyncio.current_task():
                del self._settling[container.cgroup]
        if found is None:
            return
        rule, process = found
        order = self._order(container, rule)
        if self._journal.is_known(order.key):
            self._journal.add("skipped", **_of(container), workload=rule.workload, why=f"{order.folder} is for it")
            return
        entry = {**_of(container), "process": process.names[-1], "pid": process.pid}
        if self._plan.dry:
            self._journal.order("queued", order, **entry, dry=True, command=order.line)
            return
        self._journal.order("queued", order, **entry)
        self._spawn(self._carry_out(order, container.cgroup, begun=False))

    async def _identify(self, container: Container) -> tuple[Rule, Process] | None:
        """Looks what runs in a container once it has settled; and again later, if no rule fits."""
        wait_s = self._plan.settle_s
        for look in range(1 if self._plan.once else LOOKS):
            await asyncio.sleep(wait_s)
            processes = processes_of(self._root, container.cgroup, self._runtimes.is_container)
            found = find(self._plan.rules, container, processes)
            if found:
                return found
            if look == 0:
                names = sorted({process.name for process in processes})
                self._journal.add("unmatched", **_of(container), processes=names[:SHOWN])
            wait_s = max(2 * wait_s, LEAST_WAIT_S)
        return None

    def _order(self, container: Container, rule: Rule) -> Order:
        key = f"workload {rule.workload}" if rule.once_per is OncePer.WORKLOAD else _key(container)
        name = rule.workload if rule.once_per is OncePer.WORKLOAD else container.id
        folder = self._journal.folder / folder_name(rule.workload, name, key)
        return Order(
            key, rule.workload, rule.agent or self._plan.agent, (*self._plan.overrides, *rule.overrides), folder
        )

    async def _carry_out(self, order: Order, cgroup: str, *, begun: bool) -> None:
        def starts() -> bool:
            if not begun and not self._tree.is_populated(cgroup):
                self._journal.order("dropped", order, cgroup=cgroup, why="gone before its turn")
                return False
            self._journal.order("started", order, cgroup=cgroup, command=order.line)
            return True

        try:
            ended = await self._slots.run(order, starts)
        except OSError as error:
            self.failed += 1
            self._journal.order("failed", order, cgroup=cgroup, status=None, words=str(error))
            return
        if ended is None:
            if self._journal.is_begun(order.key):
                self.interrupted.append(order)
                self._journal.order("interrupted", order, cgroup=cgroup, command=order.line)
        elif ended.status != 0:
            self.failed += 1
            self._journal.order("failed", order, cgroup=cgroup, status=ended.status, words=ended.words)
        else:
            result = {"policy": ended.policy, "improvement": ended.gained, "words": ended.words}
            self._journal.order("finished", order, cgroup=cgroup, **result)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(self._check)

    def _check(self, task: asyncio.Task[None]) -> None:
        """A fault of ours (a full disk) ends the watch, as an error, once the runs have been interrupted."""
        if not task.cancelled() and (error := task.exception()):
            self._fault = self._fault or error
            self.stop()

    async def _idle(self) -> bool:
        """Waits until there is nothing to settle and nothing to run."""
        while work := {*self._settling.values(), *self._running}:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        return True

    async def _finish(self, *tasks: "asyncio.Task[Any]") -> None:
        """Ends what is under way; runs are waited for."""
        waiting = [*tasks, *self._settling.values()]
        for task in waiting:
            task.cancel()
        if self._running:
            self._slots.stop()
            await asyncio.wait(self._running)
        await asyncio.gather(*waiting, return_exceptions=True)

    def _container(self, cgroup: str) -> Container:
        container = self._runtimes.container(cgroup)
        assert container is not None  # the tree tells of no others
        return container


def find_root(given: Path | None = None, mounts: Path = MOUNTS) -> Path:
    """The root of a cgroup v2 tree: the given folder, else where the file system is mounted.

    Raises:
        BadInput: There is none.
    """
    if given is not None:
        if not (given / "cgroup.controllers").is_file():
            raise BadInput(f"{given} is no folder of a cgroup v2 tree (it has no cgroup.controllers)")
        return given
    for line in mounts.read_text().splitlines():
        place, _, what = line.partition(" - ")
        if what.startswith("cgroup2 "):
            return Path(re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), place.split()[4]))
    raise BadInput("no cgroup v2 file system is mounted; name a folder of one with --cgroup")


def _key(container: Container) -> str:
    """What a container is known by: a restart with the same id is no new workload."""
    boot = f" of boot {BOOT_ID.read_text().strip()}" if container.per_boot else ""
    return f"{container.runtime} {container.cgroup}{boot}"


def _of(container: Container) -> dict[str, str]:
    return {"runtime": container.runtime, "container": container.id, "cgroup": container.cgroup}


def _told(error: OSError, root: Path) -> SchedcpError:
    if error.errno == errno.ENOSPC and error.filename is not None:  # a watch; a full disk names no file
        return SchedcpError(
            "more cgroups than inotify watches: `sudo sysctl fs.inotify.max_user_watches=524288`, or --cgroup a part"
        )
    if error.errno == errno.EMFILE:
        return SchedcpError("too many users of inotify: `sudo sysctl fs.inotify.max_user_instances=1024`")
    return SchedcpError(f"the watch of {root} ended: {error}")
