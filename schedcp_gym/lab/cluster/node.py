"""The nodes' side of a Ray cluster: they run jobs for the driver, and receive the image that these need."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import filelock

from schedcp_gym.lab.execute import Ran, run_here
from schedcp_gym.machine import Job, Machine
from schedcp_gym.machine.image import Image
from schedcp_gym.machine.image.store import Damaged, images_root, load
from schedcp_gym.spec import MachineSpec, SchedcpError


@dataclass(frozen=True)
class Order:
    """Jobs for a node, to run one after the other in one place.

    Attributes:
        spec: The machine that they need.
        jobs: The jobs.
        image_folder: Name of the image's folder in the cache.
        identity: What the driver's machine is (:attr:`Machine.identity`): the node's must be the same.
        cold: Boot instead of restoring the snapshot.
    """

    spec: MachineSpec
    jobs: tuple[Job, ...]
    image_folder: str
    identity: Mapping[str, str]
    cold: bool = False


@dataclass(frozen=True)
class Reply:
    """A node's answer.

    Attributes:
        node: Its id; empty when it did not answer at all.
        ran: The results, in order; empty when there are none.
        needs_image: Whether it has no such image.
        fault: Why it can't run the jobs; another node may.
    """

    node: str
    ran: tuple[Ran, ...] = ()
    needs_image: bool = False
    fault: str = ""


@dataclass
class Parcel:
    """An image that travels: its files in pieces, as references that Ray resolves where they are asked for."""

    digest: str
    folder: str
    files: dict[str, list[Any]] = field(default_factory=dict)


def run(order: Order) -> Reply:
    """Run jobs on this node. What is wrong with the node is a reply, not an exception."""
    import ray

    node = str(ray.get_runtime_context().get_node_id())
    try:
        image = _image(images_root() / order.image_folder)
        if image is None:
            return Reply(node, needs_image=True)
        machine = Machine(order.spec, image)
        here = machine.identity
        other = sorted(name for name in order.identity if order.identity[name] != here.get(name))
        if other:
            return Reply(node, fault=f"the node has another {', '.join(other)} than the driver")
        return Reply(node, run_here(machine, order.jobs, cold=order.cold))
    except (SchedcpError, OSError, MemoryError) as error:
        return Reply(node, fault=f"{type(error).__name__}: {error}".split("\n")[0])


def _image(folder: Path) -> Image | None:
    """Return the image in a folder; None if it is missing or damaged."""
    try:
        return load(folder)
    except Damaged:
        return None


def receive(parcel: Parcel) -> str:
    """Unpack an image that travelled, unless it is there; return what is wrong, or nothing."""
    import ray

    target = images_root() / parcel.folder
    try:
        with filelock.FileLock(target.with_suffix(".lock")):
            if _is(target, parcel.digest):
                return ""
            part = Path(tempfile.mkdtemp(prefix=f".building-{target.name}-", dir=target.parent))
            try:
                for name, pieces in parcel.files.items():
                    (part / name).parent.mkdir(parents=True, exist_ok=True)
                    with (part / name).open("wb") as file:
                        for piece in pieces:
                            file.write(ray.get(piece))
                if not _is(part, parcel.digest):
                    return "the image was damaged on its way"
                shutil.rmtree(target, ignore_errors=True)
                part.chmod(0o755)
                part.rename(target)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        return f"the image can't be stored: {error}"
    return ""


def _is(folder: Path, digest: str) -> bool:
    image = _image(folder)
    return image is not None and image.digest == digest
