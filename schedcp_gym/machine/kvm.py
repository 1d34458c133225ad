"""Find out whether KVM works here. A /dev/kvm that exists can still be unusable, so the probe boots a guest."""

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

from schedcp_gym.paths import cache_root
from schedcp_gym.spec.digest import digest

log = logging.getLogger(__name__)

DEVICE = Path("/dev/kvm")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def group() -> int | None:
    """Return the group that may open the device; None if only root may."""
    try:
        found = DEVICE.stat()
    except OSError:
        return None
    return found.st_gid if found.st_mode & 0o060 == 0o060 and found.st_gid else None


def works(identity: list[str], boots: Callable[[], bool]) -> bool:
    """Return whether a guest boots under KVM; the answer is kept until the host reboots.

    Args:
        identity: What else the answer depends on (image, QEMU).
        boots: The probe.
    """
    if not DEVICE.exists():
        return False
    if os.geteuid() != 0 and not os.access(DEVICE, os.R_OK | os.W_OK):
        log.warning("%s can't be opened by this user: `sudo usermod -aG kvm $USER` and log in again", DEVICE)
        return False
    answers = cache_root() / "kvm"
    answers.mkdir(exist_ok=True)
    answer = answers / f"{digest([*identity, BOOT_ID.read_text().strip()])[:24]}.json"
    try:
        return bool(json.loads(answer.read_text())["works"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    found = boots()
    if not found:
        log.warning("KVM is there but a guest does not boot with it; using multi-threaded emulation")
    part = answer.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps({"works": found}))
    part.rename(answer)
    return found
