"""The driver's side of a Ray cluster: it sends jobs to nodes, and elsewhere again when a node fails."""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

from schedcp_gym.lab.cluster import Ray, node
from schedcp_gym.lab.cluster.node import Order, Parcel, Reply
from schedcp_gym.lab.cluster.session import LOCAL, connect
from schedcp_gym.lab.execute import Ran
from schedcp_gym.machine import Ending, Job, JobResult, Machine
from schedcp_gym.machine.image import Image
from schedcp_gym.spec import Clock, MachineSpec, SchedcpError

log = logging.getLogger(__name__)

#: How often jobs are sent again after a fault of the host.
RETRIES = 8
#: Memory a virtual machine needs beside its guest's, MiB.
BESIDE_MIB = 512
#: Bytes of a piece of a travelling image.
PIECE_BYTES = 32 << 20
#: Seconds between two looks: whether the machine was stopped, and at the size of the cluster.
STOP_S, CLUSTER_S = 0.5, 5.0


class RayExecutor:
    """Runs jobs on the nodes of a Ray cluster. Safe to share between threads."""

    #: The next jobs are on the node when others end.
    ahead = 2
    has_separate_cores = True

    def __init__(self, settings: Ray) -> None:
        """Connect to the cluster, or begin one on this machine.

        Raises:
            MissingTool: Ray is not installed.
            SchedcpError: There is no such cluster.
        """
        self._ray = connect(settings.address or LOCAL)
        self._cpus_per_trial = settings.cpus_per_trial
        self._run = self._ray.remote(node.run)
        self._parcels: dict[str, Parcel] = {}
        self._pack_lock = threading.Lock()
        self._counted = (-CLUSTER_S, 1)

    @property
    def workers(self) -> int:
        """Return how many jobs on the virtual clock the cluster can run at once, as it is now."""
        then, count = self._counted
        if time.monotonic() > then + CLUSTER_S:
            count = max(1, int(self._ray.cluster_resources().get("CPU", 1.0) / self._cpus_per_trial))
            self._counted = (time.monotonic(), count)
        return count

    def run(self, machine: Machine, jobs: Sequence[Job], *, cold: bool) -> tuple[Ran, ...]:
        """Run jobs on a node, one after the other; see :meth:`Executor.run`.

        After a fault of the host they go to another node, if there is one.

        Raises:
            SchedcpError: No node is large enough.
        """
        order = Order(machine.spec, tuple(jobs), machine.image.folder.name, machine.identity, cold)
        avoided: set[str] = set()
        for attempt in range(RETRIES + 1):
            reply = self._ask(order, machine, avoided)
            if machine.stopped:
                return _failed(jobs, "the machine was stopped")
            bad = next((ran.result for ran in reply.ran if ran.result.host_failed), None)
            fault = reply.fault or (bad and (bad.message or "fault of the host"))
            if not fault:
                return reply.ran
            avoided |= {reply.node} - {""}
            where = f"node {reply.node[:8]}" if reply.node else "a node"
            log.warning("fault of %s (%s), attempt %d of %d", where, fault, attempt + 1, RETRIES + 1)
        return _failed(jobs, f"no node could measure it: {fault}")

    def _ask(self, order: Order, machine: Machine, avoided: set[str]) -> Reply:
        """Send an order out and return the reply; a node that needs the image gets it first."""
        while True:
            reply = self._reply(order, machine, avoided)
            if not reply.needs_image or machine.stopped:
                return reply
            if fault := self._bring_image(reply.node, machine.image):
                return Reply(reply.node, fault=fault)

    def _reply(self, order: Order, machine: Machine, avoided: set[str]) -> Reply:
        ref = self._run.options(**self._resources(machine.spec, avoided)).remote(order)
        try:
            while not self._ray.wait([ref], timeout=STOP_S)[0]:
                if machine.stopped:
                    self._ray.cancel(ref, force=True)
                    return Reply("", fault="the machine was stopped")
            reply: Reply = self._ray.get(ref)
        except self._ray.exceptions.RayTaskError:
            raise
        except self._ray.exceptions.RayError as error:  # the worker was killed, its node died, memory ran out
            return Reply("", fault=f"{type(error).__name__}: {str(error).strip()}".split("\n")[0][:200])
        except BaseException:
            self._ray.cancel(ref, force=True)
            raise
        return reply

    def _resources(self, spec: MachineSpec, avoided: set[str]) -> dict[str, Any]:
        """Return what an order needs of a node, as Ray's options.

        Raises:
            SchedcpError: No node has as much.
        """
        nodes = [one for one in self._ray.nodes() if one["Alive"]]
        cpus = spec.cpus if spec.clock is Clock.REAL else self._cpus_per_trial
        memory = (spec.memory_mib + BESIDE_MIB) << 20
        able = {
            one["NodeID"]
            for one in nodes
            if one["Resources"].get("CPU", 0) >= cpus and one["Resources"].get("memory", 0) >= memory
        }
        if nodes and not able:
            raise SchedcpError(f"no node of the Ray cluster has {cpus:g} CPUs and {memory >> 20} MiB for a trial")
        wanted: dict[str, Any] = {"num_cpus": cpus, "memory": memory, "max_retries": 0}  # retries are ours, and logged
        if avoided and (others := able - avoided):
            wanted["label_selector"] = {"ray.io/node-id": f"in({','.join(sorted(others))})"}
        return wanted

    def _bring_image(self, node_id: str, image: Image) -> str:
        """Send the image to a node; return what went wrong, or nothing."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        with self._pack_lock:
            if image.digest not in self._parcels:
                self._parcels[image.digest] = self._pack(image)
        there = NodeAffinitySchedulingStrategy(node_id, soft=False)
        task = self._ray.remote(node.receive).options(num_cpus=0, max_retries=0, scheduling_strategy=there)
        try:
            return str(self._ray.get(task.remote(self._parcels[image.digest])))
        except self._ray.exceptions.RayError as error:
            return f"the image did not get there: {type(error).__name__}"

    def _pack(self, image: Image) -> Parcel:
        parcel = Parcel(image.digest, image.folder.name)
        for path in sorted(image.folder.rglob("*")):
            if path.is_file() and path.name != "checked.json":
                with path.open("rb") as file:
                    pieces = [self._ray.put(piece) for piece in iter(lambda: file.read(PIECE_BYTES), b"")]
                parcel.files[str(path.relative_to(image.folder))] = pieces
        return parcel


def _failed(jobs: Sequence[Job], why: str) -> tuple[Ran, ...]:
    """Return results that say that the host failed."""
    return tuple(Ran(JobResult(Ending.KILLED, message=why)) for _ in jobs)
