"""What runs on a node of the cluster: trials that the driver sends, and the image that travels to them."""

import functools
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import filelock

from schedcp_gym.lab import catalogue
from schedcp_gym.lab.lab import Lab
from schedcp_gym.machine.image import find_image
from schedcp_gym.machine.image.store import Damaged, images_root, load
from schedcp_gym.spec import Measurement, SchedcpError, Trial


@dataclass(frozen=True)
class Reply:
    """What a node says.

    Attributes:
        node: Its id.
        measured: The measurements, in order; empty when there are none.
        needs_image: It has not got the image.
        fault: Why it can't measure; another node may.
    """

    node: str
    measured: tuple[Measurement, ...] = ()
    needs_image: bool = False
    fault: str = ""


@dataclass(frozen=True)
class Order:
    """What a node is to measure, one after the other, in one place.

    Attributes:
        trials: What.
        parts: The digests that each measurement must follow from (:meth:`Lab.parts`): the node must have the same.
        cold: Boot instead of restoring.
    """

    trials: tuple[Trial, ...]
    parts: tuple[dict[str, str], ...]
    cold: bool = False


@dataclass
class Parcel:
    """An image that travels: its files in pieces, as references that Ray resolves where they are asked for."""

    digest: str
    folder: str
    files: dict[str, list[Any]] = field(default_factory=dict)


#: Kernels whose image this process has seen.
_kernels: set[str] = set()


@functools.cache
def _lab(cold: bool) -> Lab:
    return Lab(workers=1, cache=False, cold=cold, keep=False)


def measure(order: Order) -> Reply:
    """Measures trials on this node. What is wrong with the node is a reply, not an exception."""
    import ray

    node = str(ray.get_runtime_context().get_node_id())
    try:
        if not all(map(_has_image, {trial.machine.kernel for trial in order.trials})):
            return Reply(node, needs_image=True)
        lab = _lab(order.cold)
        for trial, parts in zip(order.trials, order.parts, strict=True):
            if strange := _differences(lab, trial, parts):
                return Reply(node, fault=f"the node has another {', '.join(strange)} than the driver")
        return Reply(node, lab.run_in_turn(order.trials))
    except (SchedcpError, OSError, MemoryError) as error:
        return Reply(node, fault=f"{type(error).__name__}: {error}".split("\n")[0])


def _has_image(kernel: str) -> bool:
    if kernel not in _kernels:
        try:
            if find_image(catalogue.image_inputs(kernel)) is None:
                return False
        except Damaged:
            return False
        _kernels.add(kernel)
    return True


def _differences(lab: Lab, trial: Trial, parts: dict[str, str]) -> list[str]:
    """What of this node is not as the driver has it: code, workload, image, QEMU, compiler."""
    own = lab.parts(trial) | {"workload": catalogue.load_workload(trial.workload.name).digest}
    return sorted(name for name in own.keys() | parts.keys() if own.get(name) != parts.get(name))


def receive(parcel: Parcel) -> str:
    """Unpacks an image that travelled, unless it is there; says what is wrong, if anything is."""
    import ray

    target = images_root() / parcel.folder
    try:
        with filelock.FileLock(target.with_suffix(".lock")):
            if target.exists() and _is(target, parcel.digest):
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
    try:
        return load(folder).digest == digest
    except Damaged:
        return False
