"""The driver's side: orders go out as nodes have room for them, replies come in, faults of the host go elsewhere."""

import collections
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from schedcp_gym.lab.cluster import Ray, node
from schedcp_gym.lab.cluster.node import Order, Parcel, Reply
from schedcp_gym.lab.cluster.session import LOCAL, connect
from schedcp_gym.machine.image import Image
from schedcp_gym.spec import Clock, MachineSpec, Measurement, Outcome, SchedcpError, Trial

if TYPE_CHECKING:
    from schedcp_gym.lab.lab import Lab
    from schedcp_gym.lab.store.claim import Claim

log = logging.getLogger(__name__)

#: How often an order goes out again after a fault of the host.
RETRIES = 8
#: Orders that are out for each that can run: the next is on the node when one ends.
AHEAD = 2
#: Memory a virtual machine needs beside its guest's, MiB.
BESIDE_MIB = 512
#: Bytes of a piece of a travelling image.
PIECE_BYTES = 32 << 20
#: Seconds between two looks: at trials that others measure, and at the size of the cluster.
LOOK_S, CLUSTER_S = 0.2, 5.0


@dataclass
class Work:
    """Trials that are measured in one place, one after the other."""

    number: int
    trials: tuple[Trial, ...]
    faults: list[str] = field(default_factory=list)
    avoided: set[str] = field(default_factory=set)
    claim: "Claim | None" = None

    @property
    def spec(self) -> MachineSpec:
        """The machine they need."""
        return self.trials[0].machine

    def release(self) -> None:
        """Gives back the claim."""
        if self.claim:
            self.claim.release()
            self.claim = None


class Pool:
    """Measures on the nodes of a cluster. Safe to share between threads."""

    def __init__(self, lab: "Lab", settings: Ray) -> None:
        """Connects.

        Args:
            lab: Whose store is asked first, and keeps what comes in.
            settings: Which cluster, and how it is used.

        Raises:
            SchedcpError: There is no such cluster.
        """
        self.lab = lab
        self.ray = connect(settings.address or LOCAL)
        self.cpus_per_trial = settings.cpus_per_trial
        self._measure = self.ray.remote(node.measure)
        self._parcels: dict[str, Parcel] = {}
        self._room = (0.0, 1)

    def measure(self, works: Iterable[tuple[Trial, ...]], done: Callable[[int, tuple[Measurement, ...]], None]) -> None:
        """Measures groups of trials, each group in one place; what is stored is not measured.

        Args:
            works: The groups; only as many are taken at a time as there is room for.
            done: Told of a group's number and measurements.

        Raises:
            SchedcpError: No node is large enough.
        """
        source = (Work(number, trials) for number, trials in enumerate(works))
        again: collections.deque[Work] = collections.deque()
        out: dict[Any, Work] = {}
        claimed_by_others: list[Work] = []
        looked = time.monotonic()
        try:
            while True:
                if claimed_by_others and time.monotonic() > looked + LOOK_S:
                    looked = time.monotonic()
                    again.extend(claimed_by_others)
                    claimed_by_others.clear()
                has_room = self._room_for(out, claimed_by_others)
                claimed_by_others += [w for w in self._next(again, source, has_room) if not self._send(w, out, done)]
                if out:
                    for ref in self.ray.wait(list(out), timeout=LOOK_S if claimed_by_others else CLUSTER_S)[0]:
                        self._receive(ref, out.pop(ref), again, done)
                elif claimed_by_others:
                    time.sleep(LOOK_S)
                elif not again:
                    return
        except BaseException:
            for ref in out:
                self.ray.cancel(ref, force=True)
            raise
        finally:
            for work in (*out.values(), *again):
                work.release()

    def _room_for(self, out: Sized, others: Sized) -> Callable[[], bool]:
        """A question: whether another order may go out."""
        return lambda: len(out) + len(others) < AHEAD * self.room

    def _next(
        self, again: "collections.deque[Work]", source: Iterator[Work], has_room: Callable[[], bool]
    ) -> Iterator[Work]:
        while has_room():
            work = again.popleft() if again else next(source, None)
            if work is None:
                return
            yield work

    @property
    def room(self) -> int:
        """Trials of the virtual clock that can run at once."""
        then, room = self._room
        if time.monotonic() > then + CLUSTER_S:
            room = max(1, int(self.ray.cluster_resources().get("CPU", 1.0) / self.cpus_per_trial))
            self._room = (time.monotonic(), room)
        return room

    def _send(self, work: Work, out: dict[Any, Work], done: Callable[[int, tuple[Measurement, ...]], None]) -> bool:
        """Sends an order out, unless its result is known; False when somebody else is measuring it."""
        if self.lab.is_kept(work.trials[0]):
            key = self.lab.key(work.trials[0])
            work.claim = work.claim or self.lab.store.claim(key)
            stored = self.lab.store.read(key)
            if stored is None:
                if not work.claim.take():
                    return False
                stored = self.lab.store.read(key)
            if stored is not None:
                work.release()
                done(work.number, (stored,))
                return True
        order = Order(work.trials, tuple(self.lab.parts(trial) for trial in work.trials), self.lab.cold)
        out[self._measure.options(**self._resources(work)).remote(order)] = work
        return True

    def _resources(self, work: Work) -> dict[str, Any]:
        """What an order asks of a node.

        Raises:
            SchedcpError: No node has as much.
        """
        spec, nodes = work.spec, [one for one in self.ray.nodes() if one["Alive"]]
        cpus = spec.cpus if spec.clock is Clock.REAL else self.cpus_per_trial
        memory = (spec.memory_mib + BESIDE_MIB) << 20
        able = {
            one["NodeID"]
            for one in nodes
            if one["Resources"].get("CPU", 0) >= cpus and one["Resources"].get("memory", 0) >= memory
        }
        if nodes and not able:
            raise SchedcpError(f"no node of the Ray cluster has {cpus:g} CPUs and {memory >> 20} MiB for a trial")
        wanted: dict[str, Any] = {"num_cpus": cpus, "memory": memory, "max_retries": 0}  # retries are ours, and told
        if work.avoided and (others := able - work.avoided):
            wanted["label_selector"] = {"ray.io/node-id": f"in({','.join(sorted(others))})"}
        return wanted

    def _receive(
        self,
        ref: Any,
        work: Work,
        again: "collections.deque[Work]",
        done: Callable[[int, tuple[Measurement, ...]], None],
    ) -> None:
        try:
            reply: Reply = self.ray.get(ref)
        except self.ray.exceptions.RayTaskError:
            work.release()
            raise
        except self.ray.exceptions.RayError as error:  # the worker was killed, its node died, memory ran out
            reply = Reply("", fault=f"{type(error).__name__}: {str(error).strip()}".split("\n")[0][:200])
        fault = reply.fault
        if reply.needs_image:
            fault = self._bring_image(reply.node, work.spec.kernel)
            if not fault:
                again.appendleft(work)
                return
        bad = next((one for one in reply.measured if one.outcome is Outcome.INFRA_FAULT), None)
        if bad is not None:
            fault = bad.message or "fault of the host"
        if not fault:
            kept = tuple(
                self.lab.keep_measured(trial, one) for trial, one in zip(work.trials, reply.measured, strict=True)
            )
            work.release()
            done(work.number, kept)
            return
        work.faults.append(fault)
        if reply.node:
            work.avoided.add(reply.node)
        where = f"node {reply.node[:8]}" if reply.node else "a node"
        log.warning("fault of %s (%s), attempt %d of %d", where, fault, len(work.faults), RETRIES + 1)
        if len(work.faults) <= RETRIES:
            again.append(work)
            return
        work.release()
        done(work.number, tuple(self._failed(trial, fault) for trial in work.trials))

    def _failed(self, trial: Trial, fault: str) -> Measurement:
        return Measurement(
            trial.digest,
            Outcome.INFRA_FAULT,
            digests=self.lab.digests(trial),
            message=f"no node could measure it: {fault}",
        )

    def _bring_image(self, node_id: str, kernel: str) -> str:
        """Sends the image to a node, whose other orders wait meanwhile; says what went wrong, if anything did."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        image = self.lab.image(kernel)
        parcel = self._parcels.get(image.digest)
        if parcel is None:
            parcel = self._parcels[image.digest] = self._pack(image)
        there = NodeAffinitySchedulingStrategy(node_id, soft=False)
        task = self.ray.remote(node.receive).options(num_cpus=0, max_retries=0, scheduling_strategy=there)
        try:
            return str(self.ray.get(task.remote(parcel)))
        except self.ray.exceptions.RayError as error:
            return f"the image did not get there: {type(error).__name__}"

    def _pack(self, image: Image) -> Parcel:
        parcel = Parcel(image.digest, image.folder.name)
        for path in sorted(image.folder.rglob("*")):
            if path.is_file() and path.name != "checked.json":
                with path.open("rb") as file:
                    pieces = [self.ray.put(piece) for piece in iter(lambda: file.read(PIECE_BYTES), b"")]
                parcel.files[str(path.relative_to(image.folder))] = pieces
        return parcel
