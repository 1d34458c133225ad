"""Guest and host see nothing of each other, and QEMU has no rights to speak of."""

import os
import pwd
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import is_gone, job, process_field, qemus, wait_until

from schedcp_gym.machine import Ending, Machine
from schedcp_gym.spec import MachineSpec

pytestmark = pytest.mark.guest

LOOK = """
section() { echo "== $1"; }
section net; ls /sys/class/net
section virtio; ls /sys/bus/virtio/devices 2>/dev/null
section pci; cat /sys/bus/pci/devices/*/class
section disks; awk 'NR > 2 {print $4}' /proc/partitions
section systems; awk '{print $3}' /proc/mounts | sort -u
section writes; touch /usr/x 2>&1
"""
SYSTEMS = "bpf cgroup2 debugfs devpts devtmpfs erofs proc rootfs sysfs tmpfs tracefs"


def test_the_guest_has_no_network_no_host_files_and_an_image_it_can_not_write(run_job):
    parts = run_job(LOOK).text("stdout").split("== ")[1:]
    seen = {part.splitlines()[0]: part.splitlines()[1:] for part in parts}
    assert seen["net"] == ["lo"]
    assert seen["virtio"] == []
    # Bridges, and the board's own IDE controller: no network (0x02), no disk, no display, no serial bus.
    assert seen["pci"]
    assert {kind[:4] for kind in seen["pci"]} <= {"0x06", "0x01"}
    assert sorted(seen["disks"]) == ["pmem0", "pmem1"]  # listed as they were found
    assert set(seen["systems"]) <= set(SYSTEMS.split())
    assert "Read-only file system" in seen["writes"][0]


def test_what_one_guest_writes_to_the_image_no_other_sees(run_job, image):
    before = image.root.stat().st_mtime_ns
    run_job("blockdev --setrw /dev/pmem0; head -c 4096 /dev/zero | dd of=/dev/pmem0 bs=4096 seek=0 conv=notrunc; sync")
    assert run_job("ls /usr/bin/python3").code == 0
    assert image.root.stat().st_mtime_ns == before


@pytest.fixture
def running(image):
    """A run that does not end by itself: the process id of its QEMU."""
    own, found = Machine(MachineSpec(), image), []
    thread = threading.Thread(target=lambda: found.append(own.run(job("while :; do :; done", max_job_s=1000))))
    thread.start()
    try:
        wait_until(lambda: own._running)
        (pid,) = qemus()
        yield pid
    finally:
        own.stop()
        thread.join(60)
    assert found[0].ending is Ending.KILLED


def test_qemu_runs_without_privileges_and_under_a_filter_of_system_calls(running):
    wait_until(lambda: process_field(running, "Seccomp") == "2")
    assert process_field(running, "NoNewPrivs") == "1"
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(process_field(running, kind), 16) == 0 or (kind == "CapBnd" and os.geteuid() != 0)
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        assert process_field(running, "Uid").split() == [str(nobody.pw_uid)] * 4
        assert process_field(running, "Gid").split() == [str(nobody.pw_gid)] * 4
        assert process_field(running, "Groups") == ""


def test_qemu_has_limits_and_no_open_file_with_a_name_but_the_images(running, image):
    limits = Path(f"/proc/{running}/limits").read_text()
    for limit in ("Max address space", "Max file size", "Max core file size"):
        (line,) = (line for line in limits.splitlines() if line.startswith(limit))
        assert "unlimited" not in line.split("  ")[1]
    opened = {str(file.readlink()) for file in Path(f"/proc/{running}/fd").iterdir()}
    named = {name for name in opened if name.startswith("/") and not name.startswith(("/memfd:", "/dev/null"))}
    assert named <= {str(path) for path in (image.vmlinux, image.initrd, image.root)}
    assert not any("inet" in name or "tun" in name for name in opened)


#: A Ctrl-C reaches it also where these tests run in the background, which ignores it and hands that down.
PARENT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from schedcp_gym.lab import Lab
from schedcp_gym.machine import Job
from schedcp_gym.spec import MachineSpec
Lab().machine(MachineSpec()).run(Job({"run": b"#!/bin/sh\\nwhile :; do :; done\\n"}, 1000))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_qemu_ends_with_its_parent(how):
    with subprocess.Popen([sys.executable, "-c", PARENT], stderr=subprocess.DEVNULL, start_new_session=True) as parent:
        try:
            # Not the one that only says its version.
            (pid,) = wait_until(lambda: [pid for pid in qemus(parent.pid) if process_field(pid, "Seccomp") == "2"])
            assert not is_gone(pid)
        finally:
            parent.send_signal(how)
        parent.wait(30)
        wait_until(lambda: is_gone(pid), 10)
