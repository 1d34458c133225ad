"""The machine: the only place that starts a virtual machine."""

import asyncio
import contextlib
import dataclasses
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import filelock

from schedcp_gym.machine import kvm, snapshot
from schedcp_gym.machine.image import Image
from schedcp_gym.machine.job import DEVICE_BYTES, Ending, Job, JobResult, new_device, pack, read_result
from schedcp_gym.machine.models import models_digest, with_models
from schedcp_gym.machine.process import QemuGone, QemuProcess, start
from schedcp_gym.machine.qemu import Files, command_line, find_qemu
from schedcp_gym.spec import Clock, MachineSpec, SchedcpError
from schedcp_gym.spec.digest import digest

#: Address space beyond guest memory, image and job device: translated code, libraries, stacks, malloc arenas.
ADDRESS_SPACE_MARGIN = 6 << 30
#: Host seconds a boot to the snapshot's instruction may take.
BOOT_LIMIT_S = 240.0
#: Host seconds a boot may take under KVM before KVM counts as not working.
KVM_LIMIT_S = 20.0
#: Boots tried until the clock stands still during the stop (guest/stop_here.c): under load one in three jumps.
BOOT_TRIES = 12
#: QEMU's exit status when the guest says that it jumped: isa-debug-exit makes (2 << 1) | 1 of init.c's CLOCK_JUMPED.
CLOCK_JUMPED = 5

T = TypeVar("T")


class Machine:
    """A virtual machine of some shape, on some image; every run starts from the same pristine kernel.

    Safe to use from several threads at once; runs share nothing that is written.
    """

    def __init__(self, spec: MachineSpec, image: Image) -> None:
        """Find QEMU and, for the real clock, probe KVM.

        Raises:
            MissingTool: QEMU is not there or too old.
        """
        self.spec = spec
        self.image = image
        self.qemu = find_qemu()
        self.stopped = False
        self._running: set[asyncio.subprocess.Process] = set()
        self.accelerator = "virtual" if spec.clock is Clock.VIRTUAL else self._real_accelerator()

    @property
    def digest(self) -> str:
        """Return the SHA-256 (hex) of all that shapes it: image, emulator, its command line, what models the caches."""
        shape = snapshot.machine_digest(self.image, self.qemu, self.spec, self.accelerator)
        return digest([shape, models_digest(self.spec, self.image)]) if self.spec.topology else shape

    @property
    def identity(self) -> dict[str, str]:
        """Return digests and versions by name; on two machines where all are equal a job gives the same."""
        return {
            "image": self.image.digest,
            "machine": self.digest,
            "kernel": self.image.kernel,
            "qemu": self.qemu.text,
        }

    def run(self, job: Job, *, cold: bool = False) -> JobResult:
        """Run a job.

        On the virtual clock the result, apart from its host timings, is a pure function of job, image, spec and QEMU.

        Args:
            job: What to run.
            cold: Boot instead of restoring the snapshot; the result is the same.

        Returns:
            The result; a crash, a hang or a killed QEMU is an ending, not an exception.

        Raises:
            BadInput: The job is too large.
            SchedcpError: The machine can't be booted at all.
        """
        if self.stopped:
            return JobResult(Ending.KILLED, message="the machine was stopped")
        job = with_models(job, self.spec, self.image)
        packed, limit_s = pack(job), self.spec.host_limit_s(job.max_job_s)
        if not cold and self.accelerator != "kvm":
            try:
                saved = self.ensure_snapshot()
            except SchedcpError:
                if self.stopped:
                    return JobResult(Ending.KILLED, message="the machine was stopped")
                raise
            return _run_loop(lambda: self._run(packed, saved, limit_s))
        for _ in range(BOOT_TRIES):
            result = _run_loop(lambda: self._run(packed, None, limit_s))
            if result.ending is not Ending.CLOCK_JUMPED:
                break
        return result

    def stop(self) -> None:
        """Stop all runs permanently, in all threads, and refuse new ones (for example after Ctrl-C)."""
        self.stopped = True
        for process in list(self._running):
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    def ensure_snapshot(self) -> Path:
        """Return the snapshot's path; make it if it is missing or damaged. A second process waits for the first.

        Raises:
            SchedcpError: The guest does not come up.
        """
        path = snapshot.snapshot_path(self.image, self.qemu, self.spec, self.accelerator)
        if snapshot.is_whole(path):
            return path
        with filelock.FileLock(path.with_suffix(".lock")):
            if not snapshot.is_whole(path):
                for left in path.parent.glob(f"{path.stem}.*.part"):  # by a process that was killed; we hold the lock
                    left.unlink(missing_ok=True)
                self.make_snapshot(path)
        return path

    def make_snapshot(self, path: Path) -> None:
        """Boot to the snapshot's instruction and save the machine there.

        Raises:
            SchedcpError: The guest does not come up; its console's end is shown.
        """
        part = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.part")
        try:
            for _ in range(BOOT_TRIES):
                if _run_loop(lambda: self._save(part)):
                    break
            else:
                raise SchedcpError(
                    f"the guest's clock jumped while it stopped, {BOOT_TRIES} times; is the host overloaded?"
                )
            part.rename(path)
            snapshot.write_record(path)
        finally:
            part.unlink(missing_ok=True)

    def _real_accelerator(self) -> str:
        self.accelerator = "kvm"
        works = kvm.works([self.image.digest, self.qemu.text], lambda: _run_loop(self._boots))
        return "kvm" if works else "mttcg"

    async def _boots(self) -> bool:
        """Return whether a guest reaches the snapshot's instruction in reasonable time."""
        with self._devices(b"") as devices:
            try:
                async with self._started(devices) as qemu, asyncio.timeout(KVM_LIMIT_S):
                    await qemu.wait_for_status("guest-panicked")
                    return True
            except (QemuGone, TimeoutError):
                return False

    async def _save(self, target: Path) -> bool:
        """Save a snapshot; then let the guest go on, and return whether its clock stood still, as it must."""
        with self._devices(b"") as devices:
            try:
                async with (
                    self._started(devices, saves=True) as qemu,
                    self._listed(qemu),
                    asyncio.timeout(BOOT_LIMIT_S),
                ):
                    await self._wait_for_stop(qemu)
                    await qemu.save(target)
                    await qemu.command("cont")
                    status, _ = await qemu.wait_for_end()
                    return status != CLOCK_JUMPED
            except (QemuGone, TimeoutError) as error:
                raise SchedcpError(f"the guest does not come up: {error}\n{devices.console_text()[-2000:]}") from error

    async def _wait_for_stop(self, qemu: QemuProcess) -> None:
        """Wait until the guest has stopped itself."""
        if self.accelerator == "virtual":
            async with qemu.main_loop_behind():
                await qemu.wait_for_status("guest-panicked")
        else:
            await qemu.wait_for_status("guest-panicked")

    async def _run(self, packed: bytes, saved: Path | None, max_host_s: float) -> JobResult:
        began = time.monotonic()
        restored = ended = None
        with self._devices(packed) as devices:
            ending, message = Ending.KILLED, ""
            try:
                async with asyncio.timeout(max_host_s):
                    async with self._started(devices, restore=saved is not None) as qemu, self._listed(qemu):
                        if saved:
                            await qemu.restore(saved)
                        else:
                            await self._wait_for_stop(qemu)
                        await qemu.command("cont")
                        restored = time.monotonic()
                        ending, message = _ending(*await qemu.wait_for_end())
                        ended = time.monotonic()
            except TimeoutError:
                ending, message = Ending.HOST_DEADLINE, f"not over after {max_host_s:g} s of host time"
            except QemuGone as error:
                message = str(error)
            if saved and ending is Ending.CLOCK_JUMPED:  # a snapshot is exact: only a job that cheats gives this status
                ending, message = Ending.CRASHED, "the guest ended without a result"
            result = read_result(devices.job) if ending is Ending.EXITED else None
            if result is None:
                if ending is Ending.EXITED:
                    ending, message = Ending.CRASHED, "the guest ended without a result"
                result = JobResult(ending, message=message)
            now = time.monotonic()
            restored, ended = restored or now, ended or now
            timings = {"restore": restored - began, "job": ended - restored, "total": now - began}
            return dataclasses.replace(result, console=devices.console_text(), timings_s=timings)

    @contextlib.asynccontextmanager
    async def _listed(self, qemu: QemuProcess) -> AsyncIterator[None]:
        self._running.add(qemu.process)
        if self.stopped:  # while it was starting, when stop() could not know of it
            with contextlib.suppress(ProcessLookupError):
                qemu.process.kill()
        try:
            yield
        finally:
            self._running.discard(qemu.process)

    @contextlib.contextmanager
    def _devices(self, packed: bytes) -> Iterator["_Devices"]:
        with contextlib.ExitStack() as stack:

            def opened(fd: int) -> int:
                stack.callback(os.close, fd)
                return fd

            yield _Devices(
                job=opened(new_device(packed)),
                console=opened(os.memfd_create("schedcp-console", os.MFD_CLOEXEC)),
                vmlinux=opened(os.open(self.image.vmlinux, os.O_RDONLY | os.O_CLOEXEC)),
                initrd=opened(os.open(self.image.initrd, os.O_RDONLY | os.O_CLOEXEC)),
                root=opened(os.open(self.image.root, os.O_RDONLY | os.O_CLOEXEC)),
            )

    def _started(
        self, devices: "_Devices", *, restore: bool = False, saves: bool = False
    ) -> contextlib.AbstractAsyncContextManager[QemuProcess]:
        root_bytes = os.fstat(devices.root).st_size

        def build_command(qmp_fd: int) -> list[str]:
            files = Files(
                vmlinux=f"/proc/self/fd/{devices.vmlinux}",
                initrd=f"/proc/self/fd/{devices.initrd}",
                root=f"/proc/self/fd/{devices.root}",
                root_bytes=root_bytes,
                job=f"/proc/self/fd/{devices.job}",
                job_bytes=DEVICE_BYTES,
                console=f"/proc/self/fd/{devices.console}",
                qmp_fd=qmp_fd,
            )
            return command_line(self.qemu, self.spec, self.accelerator, files, restore=restore)

        size = (self.spec.memory_mib << 20) + root_bytes + DEVICE_BYTES + ADDRESS_SPACE_MARGIN
        return start(
            build_command,
            pass_fds=tuple(dataclasses.astuple(devices)),
            address_space_bytes=size,
            saves=saves,
            group=kvm.group() if self.accelerator == "kvm" else None,
        )


def _ending(status: int, shutdown_reason: str) -> tuple[Ending, str]:
    """Return what QEMU's end means. The guest's init ends it by isa-debug-exit, which gives odd statuses only."""
    if status == CLOCK_JUMPED:
        return Ending.CLOCK_JUMPED, f"the guest's clock jumped while it stopped, {BOOT_TRIES} times"
    if status > 0 and status % 2:
        return Ending.EXITED, ""
    if status < 0:
        return Ending.KILLED, f"QEMU was killed by signal {-status}"
    if shutdown_reason.startswith("guest"):
        return (
            Ending.CRASHED,
            f"the guest's kernel panicked, or the guest was reset or switched off ({shutdown_reason})",
        )
    return Ending.KILLED, f"QEMU was told to end ({shutdown_reason or f'status {status}'})"


@dataclasses.dataclass(frozen=True)
class _Devices:
    """File descriptors of what a run reads and writes."""

    job: int
    console: int
    vmlinux: int
    initrd: int
    root: int

    def console_text(self) -> str:
        size = os.fstat(self.console).st_size
        return os.pread(self.console, min(size, 1 << 20), max(0, size - (1 << 20))).decode(errors="replace")


def _run_loop(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end, also where the thread has an event loop of its own (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(make())
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(asyncio.run(make()))
        except BaseException as error:  # noqa: BLE001  raised again where it is waited for
            future.set_exception(error)

    threading.Thread(target=work, name="schedcp-machine").start()
    return future.result()
