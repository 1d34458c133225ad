"""Jobs and results: a folder in, a folder out, over one piece of shared memory.

The layout is that of guest/init.c: a header at 1 MiB (the kernel reads the device's first and last sectors when it
scans for partitions), the job's tar behind it; the result's header at RESULT_AT, its tar behind it.
"""

import enum
import io
import mmap
import os
import struct
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field

from schedcp_gym.spec import BadInput

HEADER_AT = 1 << 20
HEADER_SIZE = 4096
RESULT_AT = 64 << 20
DEVICE_BYTES = 128 << 20
JOB_LIMIT = RESULT_AT - HEADER_AT - HEADER_SIZE
RESULT_LIMIT = DEVICE_BYTES - RESULT_AT - HEADER_SIZE - (1 << 20)

_JOB_HEADER = struct.Struct("<8sQQQ")
_RESULT_HEADER = struct.Struct("<8sQQQQII256s")


class Ending(enum.StrEnum):
    """The ways in which a run of the machine can end."""

    EXITED = "exited"  # the job's program ended; code is its status
    SIGNALLED = "signalled"  # the job's program was killed; code is the signal
    DEADLINE = "deadline"  # the job passed its limit of guest time
    GUEST_FAILED = "guest_failed"  # the guest's init could not run the job
    CRASHED = "crashed"  # the guest's kernel panicked or reset
    HOST_DEADLINE = "host_deadline"  # the run passed its limit of host time
    KILLED = "killed"  # QEMU ended without the guest's doing
    CLOCK_JUMPED = "clock_jumped"  # no boot could be had that is exact


@dataclass(frozen=True)
class Job:
    """A job for a machine: files by relative path; ``run`` is the program started.

    Attributes:
        files: Content by path; executable when it starts with ``#!`` or an ELF header.
        max_job_s: Guest seconds after which it is ended.
    """

    files: Mapping[str, bytes]
    max_job_s: float

    def __post_init__(self) -> None:
        if "run" not in self.files:
            raise BadInput("a job needs a file named run")


@dataclass(frozen=True)
class JobResult:
    """The result of a run.

    Attributes:
        ending: How it ended.
        code: Exit status or signal.
        files: What the job left in /result, by relative path.
        job_s: Guest seconds from the job's start to its end; None when it did not end by itself.
        oom_kills: Processes that the guest's kernel killed because memory ran out.
        pages_scanned: Pages the guest's kernel looked at to find some it could give up. Which ones it finds depends on
            the emulator's own caches: when there are any, the run need not be exact.
        console: The guest's console.
        message: Why it ended so, when not ``exited``.
        timings_s: Host seconds: ``restore`` (start to the job), ``job``, ``total``.
    """

    ending: Ending
    code: int = 0
    files: Mapping[str, bytes] = field(default_factory=dict)
    job_s: float | None = None
    oom_kills: int = 0
    pages_scanned: int = 0
    console: str = ""
    message: str = ""
    timings_s: Mapping[str, float] = field(default_factory=dict)

    @property
    def host_failed(self) -> bool:
        """Return whether the host ended it: another run may succeed."""
        return self.ending in (Ending.KILLED, Ending.CLOCK_JUMPED)

    @property
    def says_nothing(self) -> bool:
        """Return whether nothing is known about the job: the host failed, or was too slow."""
        return self.host_failed or self.ending is Ending.HOST_DEADLINE

    def text(self, name: str, default: str = "") -> str:
        """Return a result file as text; bytes that are not UTF-8 are replaced."""
        return self.files[name].decode(errors="replace") if name in self.files else default


def pack(job: Job) -> bytes:
    """Return the job's header and tar: the same bytes for the same job on every host.

    Raises:
        BadInput: The job is too large for the device.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(job.files):
            content = job.files[name]
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o755 if content.startswith((b"#!", b"\x7fELF")) else 0o644
            archive.addfile(entry, io.BytesIO(content))
    packed = buffer.getvalue()
    if len(packed) > JOB_LIMIT:
        raise BadInput(f"the job has {len(packed) >> 20} MiB; {JOB_LIMIT >> 20} MiB fit")
    header = _JOB_HEADER.pack(b"SCXJOB01", len(packed), RESULT_AT, int(job.max_job_s * 1e9))
    return header.ljust(HEADER_SIZE, b"\0") + packed


def new_device(packed: bytes) -> int:
    """Return a file descriptor of anonymous shared memory with a packed job in it."""
    device = os.memfd_create("schedcp-job", os.MFD_CLOEXEC)
    os.ftruncate(device, DEVICE_BYTES)
    os.pwrite(device, packed, HEADER_AT)
    return device


def read_result(device: int) -> JobResult | None:
    """Return what the guest wrote; None when it wrote nothing. The caller adds ``timings_s`` and ``console``."""
    with mmap.mmap(device, DEVICE_BYTES, prot=mmap.PROT_READ) as memory:
        header = _RESULT_HEADER.unpack_from(memory, RESULT_AT)
        magic, size, job_ns, oom_kills, pages_scanned, ending, code, message = header
        if magic != b"SCXRES01":
            return None
        endings = {1: Ending.EXITED, 2: Ending.SIGNALLED, 3: Ending.DEADLINE}
        start = RESULT_AT + HEADER_SIZE
        packed = memory[start : start + min(size, RESULT_LIMIT)]
    return JobResult(
        ending=endings.get(ending, Ending.GUEST_FAILED),
        code=code,
        files=_unpack(packed),
        job_s=job_ns / 1e9,
        oom_kills=oom_kills,
        pages_scanned=pages_scanned,
        message=message.split(b"\0")[0].decode(errors="replace"),
    )


def _unpack(packed: bytes) -> dict[str, bytes]:
    """Return plain files only, in memory: nothing that a hostile guest wrote reaches the host's file system."""
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:") as archive:
            for entry in archive:
                # A sparse file can claim any size; what is stored whole is no larger than the archive.
                content = archive.extractfile(entry) if entry.isreg() and not entry.issparse() else None
                if content and entry.size <= len(packed):
                    files[entry.name.removeprefix("./")] = content.read()
    except (tarfile.TarError, ValueError, OverflowError, TypeError, IndexError, EOFError):
        if packed:
            files["result.damaged"] = b""
    return files
