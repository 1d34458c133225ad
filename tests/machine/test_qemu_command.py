"""QEMU's command line: what exactness and isolation rest on."""

import itertools
import os

import pytest

from schedcp_gym.machine.process import wrapper
from schedcp_gym.machine.qemu import Files, QemuVersion, command_line, cpu_slots
from schedcp_gym.spec import Clock, MachineSpec

FILES = Files("/p/vmlinux", "/p/initrd", "/p/root", 4096, "/p/job", 8192, "/p/console", 9)
QEMU = QemuVersion("/usr/bin/qemu-system-x86_64", "10.0")
ACCELERATORS = ("virtual", "mttcg", "kvm")


def line(accelerator="virtual", restore=False, **spec):
    return command_line(QEMU, MachineSpec(**spec), accelerator, FILES, restore=restore)


def after(words, option):
    return [value for name, value in itertools.pairwise(words) if name == option]


@pytest.mark.parametrize("accelerator", ACCELERATORS)
def test_the_guest_is_shut_in(accelerator):
    words = line(accelerator)
    assert after(words, "-sandbox") == ["on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"]
    assert "-nodefaults" in words
    assert "-no-user-config" in words
    assert after(words, "-display") == ["none"]
    text = " ".join(words)
    for part in ("-net", "virtio", "fsdev", "usb", "vfio", "hostfwd", "-monitor", "-drive", "guestfwd", "e1000"):
        assert part not in text
    assert {device.split(",")[0] for device in after(words, "-device")} == {"nvdimm", "pvpanic", "isa-debug-exit"}
    assert len(after(words, "-chardev")) == 2


@pytest.mark.parametrize("accelerator", ACCELERATORS)
def test_the_image_can_not_be_written(accelerator):
    (root,) = (words for words in after(line(accelerator), "-object") if "id=root" in words)
    assert "readonly=on" in root


def test_the_virtual_clock_counts_instructions_and_nothing_random_is_let_in():
    words = line()
    assert after(words, "-icount") == ["shift=1,sleep=off"]
    assert after(words, "-accel") == ["tcg,thread=single,tb-size=2047"]
    assert after(words, "-rtc") == ["base=2026-01-01,clock=vm"]
    assert after(words, "-seed") == ["42"]
    (cpu,) = after(words, "-cpu")
    assert "max" not in cpu
    assert "host" not in cpu
    (kernel,) = after(words, "-append")
    for part in ("nokaslr", "norandmaps", "random.trust_cpu=off", "maxcpus=1"):
        assert part in kernel.split()
    assert any(part.startswith("schedcp.") for part in kernel.split())  # init is told that idle CPUs are to spin


@pytest.mark.parametrize(("cpus", "slots"), [(1, 1), (2, 3), (3, 15), (4, 20), (16, 80)])
def test_ghost_cpus_even_out_the_shares_on_the_virtual_clock_only(cpus, slots):
    assert cpu_slots(cpus) == slots
    words = line(cpus=cpus)
    assert after(words, "-smp") == [str(slots)]
    assert f"nr_cpus={cpus}" in after(words, "-append")[0].split()
    for accelerator in ("mttcg", "kvm"):
        assert after(line(accelerator, cpus=cpus), "-smp") == [str(cpus)]


@pytest.mark.parametrize("accelerator", ["mttcg", "kvm"])
def test_the_real_clock_counts_nothing_and_idle_cpus_do_not_spin(accelerator):
    words = line(accelerator, clock=Clock.REAL)
    assert "-icount" not in words
    assert "schedcp." not in " ".join(words)


def test_a_restore_differs_by_waiting_only():
    assert line(restore=True) == [*line(), "-incoming", "defer"]


def test_memory_is_the_specs():
    assert after(line(memory_mib=512), "-m")[0].startswith("512,")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up being root")
@pytest.mark.parametrize("group", [None, 105])
def test_root_gives_up_user_groups_and_capabilities(group):
    words = wrapper(1 << 30, group)
    assert {"--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--pdeathsig", "KILL"} <= set(words)
    assert any(word.startswith("--reuid=") and word != "--reuid=0" for word in words)
    assert ("--clear-groups" in words) == (group is None)
    assert f"--as={1 << 30}" in words
    assert "--core=0" in words
