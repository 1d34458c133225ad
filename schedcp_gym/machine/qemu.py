"""QEMU's command line for a machine, and the QEMU of this host."""

import functools
import re
import shutil
import subprocess
from dataclasses import dataclass

from schedcp_gym.spec import MachineSpec, MissingTool

QEMU = "qemu-system-x86_64"
#: Per-CPU turns under instruction counting came with 8.1; before, wake-ups may be 12 ms late.
OLDEST = (8, 1)
#: One instruction is 2**SHIFT ns of the whole machine without a topology.
SHIFT = 1
#: HPET timers that end the emulator's rounds (guest/even_turns.c).
ROUND_TIMERS = 8
#: Distance between two NUMA nodes as firmware gives it; 10 is the distance within a node.
NODE_DISTANCE = 21

#: A named and versioned model (x86-64-v2): "max" is whatever a QEMU can do. It has no random-number instructions,
#: no rep-string fast path (emulated byte by byte) and no AVX (emulated in helpers): a boot is a quarter faster.
CPU_MODEL = "Westmere-v1"

#: What makes a guest's run a pure function, and its boot quick. DAMON samples the accessed bits of page tables, and
#: clears them without flushing the TLB; whether a bit is set again then depends on the emulator's TLB, whose size
#: follows the host's clock.
KERNEL_ARGUMENTS = (
    "console=ttyS0 quiet panic=-1 mitigations=off nokaslr norandmaps random.trust_cpu=off random.trust_bootloader=off "
    "tsc=reliable no_timer_check cryptomgr.notests audit=0 lsm= lpj=500000 damon_stat.enabled=0 "
    "maxcpus=1 nr_cpus={cpus}"
)


@dataclass(frozen=True)
class QemuVersion:
    """The emulator found on this host."""

    path: str
    text: str


@functools.cache
def find_qemu() -> QemuVersion:
    """Return the installed QEMU.

    Raises:
        MissingTool: There is none, or it is too old.
    """
    path = shutil.which(QEMU)
    if not path:
        raise MissingTool(
            f"{QEMU} is not installed: `sudo apt-get install qemu-system-x86` "
            "(Debian 12: `-t bookworm-backports`, its own is too old)"
        )
    first = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout.split("\n")[0]
    found = re.search(r"version (\d+)\.(\d+)", first)
    if not found or (int(found[1]), int(found[2])) < OLDEST:
        raise MissingTool(
            f"QEMU {OLDEST[0]}.{OLDEST[1]} or newer is required, found: {first or 'no version'}. "
            "On Debian 12: `sudo apt-get install -t bookworm-backports qemu-system-x86`"
        )
    return QemuVersion(path, first.removeprefix("QEMU emulator version "))


def cpu_slots(cpus: int) -> int:
    """Return the CPU slots of the virtual machine: those never brought up ("ghosts") even out the others' shares.

    The emulator hands each slot ``time to next timer / slots`` a turn, and a timer restarts the turn, so early CPUs
    get more; the more slots there are, the less it matters, and the more host time is spent.
    """
    if cpus == 1:
        return 1
    return 3 if cpus == 2 else 5 * cpus


@dataclass(frozen=True)
class Files:
    """Paths as QEMU sees them, mostly /proc/self/fd/N: nothing is opened by name."""

    vmlinux: str
    initrd: str
    root: str
    root_bytes: int
    job: str
    job_bytes: int
    console: str
    qmp_fd: int


def clock_shift(spec: MachineSpec) -> int:
    """Return the clock's shift: an instruction is 2**shift ns of the whole machine.

    With a topology, each of 8 CPUs runs 125 million instructions a second. The shift can't be below 0, so each of 16
    runs half as many.
    """
    return max(0, 3 - (spec.cpus - 1).bit_length()) if spec.topology else SHIFT


def command_line(qemu: QemuVersion, spec: MachineSpec, accelerator: str, files: Files, *, restore: bool) -> list[str]:
    """Return the complete call of QEMU.

    Args:
        qemu: The emulator.
        spec: The machine.
        accelerator: ``virtual``, ``kvm`` or ``mttcg``.
        files: What it opens.
        restore: Wait for a snapshot instead of booting.
    """
    kernel_arguments = KERNEL_ARGUMENTS.format(cpus=spec.cpus)
    if accelerator == "virtual":
        kernel_arguments += " schedcp.clock=virtual"
        if spec.cpus == 2 and not spec.topology:
            # Ticks apart: over a long loop the two CPUs differ by 0.1 % instead of 1.3 %. With four it is worse: 23 %
            # instead of 11 %.
            kernel_arguments += " skew_tick=1"
    return [
        *(qemu.path, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"),
        *("-machine", "pc,nvdimm=on", *_accelerator(accelerator, spec)),
        *_cpus_and_memory(accelerator, spec),
        *("-kernel", files.vmlinux, "-initrd", files.initrd),
        *("-append", kernel_arguments),
        "-object",
        f"memory-backend-file,id=root,share=on,readonly=on,mem-path={files.root},size={files.root_bytes}",
        *("-device", "nvdimm,id=pmem0,memdev=root,unarmed=on"),
        *("-object", f"memory-backend-file,id=job,share=on,mem-path={files.job},size={files.job_bytes}"),
        *("-device", "nvdimm,id=pmem1,memdev=job"),
        *("-device", "pvpanic", "-action", "panic=pause"),
        *("-device", "isa-debug-exit,iobase=0xf4,iosize=1"),
        *("-chardev", f"file,id=console,path={files.console},append=on", "-serial", "chardev:console"),
        *("-chardev", f"socket,id=qmp,fd={files.qmp_fd}", "-mon", "chardev=qmp,mode=control"),
        *(("-incoming", "defer") if restore else ()),
    ]


def _accelerator(accelerator: str, spec: MachineSpec) -> tuple[str, ...]:
    words = _ACCELERATORS[accelerator]
    if not spec.topology:
        return words
    changed = {f"shift={SHIFT},sleep=off": f"shift={clock_shift(spec)},sleep=off"}
    return (*(changed.get(word, word) for word in words), "-global", f"hpet.timers={ROUND_TIMERS}")


def _cpus_and_memory(accelerator: str, spec: MachineSpec) -> tuple[str, ...]:
    memory = ("-m", f"{spec.memory_mib},slots=4,maxmem={spec.memory_mib + 8192}M")
    if not spec.topology:
        slots = cpu_slots(spec.cpus) if accelerator == "virtual" else spec.cpus
        return ("-smp", str(slots), *memory)
    shape = spec.shape
    # A socket for each last-level cache: with two dies in a socket, QEMU 10.0 ends with a failed assertion.
    sockets, maxcpus = shape.nodes * shape.llcs + 1, spec.cpus + shape.cpus_per_llc
    smp = f"{spec.cpus + 1},sockets={sockets},cores={shape.cores},threads={shape.threads},maxcpus={maxcpus}"
    if shape.nodes == 1:
        return ("-smp", smp, *memory)
    words = ["-smp", smp, *memory]
    # The nodes' memory is split evenly; the first takes what is left over.
    share = spec.memory_mib // shape.nodes
    for node in range(shape.nodes):
        size = share if node else spec.memory_mib - share * (shape.nodes - 1)
        first = node * shape.cpus_per_node
        words += ["-object", f"memory-backend-ram,id=node{node},size={size}M"]
        cpus = f"cpus={first}-{first + shape.cpus_per_node - 1}"
        if node == 0:
            cpus += f",cpus={spec.cpus}-{spec.cpus + shape.cpus_per_llc - 1}"
        words += ["-numa", f"node,nodeid={node},{cpus},memdev=node{node}"]
    for node in range(shape.nodes):
        for other in range(node + 1, shape.nodes):
            words += ["-numa", f"dist,src={node},dst={other},val={NODE_DISTANCE}"]
    return tuple(words)


_ACCELERATORS = {
    "virtual": (
        # The largest store of translated code there may be, in MiB. When it is full, the emulator empties it and ends
        # the turn of the CPU: a moment that a boot, or a host whose code is longer, moves.
        *("-accel", "tcg,thread=single,tb-size=2047", "-cpu", CPU_MODEL),
        *("-icount", f"shift={SHIFT},sleep=off", "-rtc", "base=2026-01-01,clock=vm", "-seed", "42"),
    ),
    "mttcg": ("-accel", "tcg,thread=multi,tb-size=512", "-cpu", CPU_MODEL, "-rtc", "base=2026-01-01"),
    "kvm": ("-accel", "kvm", "-cpu", "host", "-rtc", "base=2026-01-01"),
}
