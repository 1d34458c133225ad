"""Snapshots: a booted, pristine kernel stopped at one instruction."""

import json
import logging
from pathlib import Path

from schedcp_gym.machine.image.inputs import file_digest
from schedcp_gym.machine.image.store import Image
from schedcp_gym.machine.qemu import Files, QemuVersion, command_line
from schedcp_gym.paths import cache_root
from schedcp_gym.spec import MachineSpec
from schedcp_gym.spec.digest import digest

log = logging.getLogger(__name__)

#: Raise this when the way a snapshot is saved or loaded changes and the command line does not show it.
FORMAT = 1


def machine_digest(image: Image, qemu: QemuVersion, spec: MachineSpec, accelerator: str) -> str:
    """Return the SHA-256 (hex) of all that shapes a machine: image, emulator and its whole command line."""
    shape = command_line(qemu, spec, accelerator, Files("", "", "", 0, "", 0, "", 0), restore=False)
    return digest([FORMAT, image.digest, qemu.text, shape[1:]])


def snapshot_path(image: Image, qemu: QemuVersion, spec: MachineSpec, accelerator: str) -> Path:
    """Return where the snapshot of a machine lies; the name follows from all that shapes its content."""
    root = cache_root() / "snapshots"
    root.mkdir(exist_ok=True)
    return root / f"{machine_digest(image, qemu, spec, accelerator)[:24]}.snapshot"


def is_whole(path: Path) -> bool:
    """Return whether a snapshot is there and unchanged: by size and time, by content when those have changed."""
    record = path.with_suffix(".json")
    if not path.exists() or not record.exists():
        return False
    try:
        known = json.loads(record.read_text())
        found = path.stat()
        if known["stat"] == [found.st_size, found.st_mtime_ns, found.st_ino]:
            return True
        if known["sha256"] == file_digest(path):
            write_record(path)
            return True
    except (OSError, ValueError, KeyError, TypeError):
        pass
    log.warning("the cached snapshot %s is damaged; making it again", path.name)
    return False


def write_record(path: Path) -> None:
    """Write down a snapshot's digest, so that damage is noticed."""
    found = path.stat()
    record = {"sha256": file_digest(path), "stat": [found.st_size, found.st_mtime_ns, found.st_ino]}
    path.with_suffix(".json").write_text(json.dumps(record))
