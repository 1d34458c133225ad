"""A QEMU process: it runs without privileges, is controlled by QMP, and is always killed at the end."""

import asyncio
import contextlib
import logging
import os
import pwd
import random
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, BinaryIO

from qemu.qmp import EventListener, QMPClient, QMPError, Runstate

from schedcp_gym.machine.orphans import dying_with_parent
from schedcp_gym.spec import MissingTool

# The library logs what it also raises, and the end of a QEMU closes its connection by design.
logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL)

#: Bytes QEMU may write to any file (the console is one).
FILE_LIMIT = 64 << 20
#: The user QEMU runs as when we are root.
NOBODY = "nobody"
POLL_S = 0.005
#: Seconds the connection of an ended QEMU has to close.
GOODBYE_S = 5.0


class QemuGone(Exception):
    """Raised when QEMU has ended, or no longer answers."""


class QemuProcess:
    """A running QEMU. Made by :func:`start`."""

    def __init__(
        self, process: asyncio.subprocess.Process, qmp: QMPClient, pipe: BinaryIO, qemu_pipe: BinaryIO
    ) -> None:
        self.process = process
        self._shutdowns = EventListener(["SHUTDOWN"])
        qmp.register_listener(self._shutdowns)
        self.qmp = qmp
        self._pipe = pipe  # our end; closed by whoever is done with it
        self._qemu_pipe = qemu_pipe  # the end to hand to QEMU

    async def command(self, name: str, **arguments: Any) -> Any:
        """Run a QMP command (underscores stand for dashes in its arguments).

        Raises:
            QemuGone: QEMU ended or refused.
        """
        try:
            return await self.qmp.execute(name, {key.replace("_", "-"): value for key, value in arguments.items()})
        except (QMPError, OSError, EOFError) as error:
            raise QemuGone(f"{name}: {error}") from error

    async def wait_for_status(self, *wanted: str, unless: tuple[str, ...] = ()) -> str:
        """Wait until the machine has one of the statuses, or any that is not in ``unless``; return it."""
        while True:
            status = str((await self.command("query-status"))["status"])
            if status in wanted or (unless and status not in unless):
                return status
            await asyncio.sleep(POLL_S)

    @contextlib.asynccontextmanager
    async def main_loop_behind(self) -> AsyncIterator[None]:
        """Keep QEMU's main loop from running before the CPUs' thread sleeps.

        When the guest stops itself, the CPUs' thread must have gone to sleep before the main loop looks at the clock
        (guest/stop_here.c). On one core with it, a batch task does not preempt it.
        """
        threads = {int(cpu["thread-id"]) for cpu in await self.command("query-cpus-fast")}
        cores = os.sched_getaffinity(0)
        core = {random.choice(sorted(cores))}
        with contextlib.suppress(OSError):  # only makes a second try less likely
            for thread in (self.process.pid, *threads):
                os.sched_setaffinity(thread, core)
            os.sched_setscheduler(self.process.pid, os.SCHED_BATCH, os.sched_param(0))
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # gone
                os.sched_setscheduler(self.process.pid, os.SCHED_OTHER, os.sched_param(0))
                for thread in (self.process.pid, *threads):
                    os.sched_setaffinity(thread, cores)

    async def restore(self, snapshot: Path) -> None:
        """Load a snapshot and stop at its instruction."""
        await self._ignore_shared_memory()
        # Announcements after a migration run on host timers, and would make runs differ.
        await self.command("migrate-set-parameters", announce_rounds=0)
        await self._hand_over_pipe()
        await self.command("migrate-incoming", uri="fd:snapshot")
        await asyncio.to_thread(self._feed, snapshot)
        await self.wait_for_status(unless=("inmigrate",))

    async def save(self, snapshot: Path) -> None:
        """Write a snapshot of a machine that has stopped itself."""
        await self._ignore_shared_memory()
        await self.command("migrate-set-parameters", max_bandwidth=10**12)
        await self._hand_over_pipe()
        await self.command("migrate", uri="fd:snapshot")
        await asyncio.to_thread(self._drain, snapshot)
        while (status := (await self.command("query-migrate"))["status"]) != "completed":
            if status in ("failed", "cancelled"):
                raise QemuGone(f"the snapshot could not be saved: {status}")
            await asyncio.sleep(POLL_S)

    async def wait_for_end(self) -> tuple[int, str]:
        """Wait until QEMU has ended.

        Returns:
            Its exit status (minus the signal that killed it), and QMP's reason for a shutdown ("" if it gave none).
        """
        status = await self.process.wait()
        with contextlib.suppress(TimeoutError):  # its last messages are still on their way
            async with asyncio.timeout(GOODBYE_S):
                while self.qmp.runstate is Runstate.RUNNING:
                    await self.qmp.runstate_changed()
        data: list[Any] = [event["data"] for event in self._shutdowns.clear()]
        reasons = [str(entry.get("reason", "")) for entry in data]
        return status, reasons[-1] if reasons else ""

    async def _ignore_shared_memory(self) -> None:
        await self.command("migrate-set-capabilities", capabilities=[{"capability": "x-ignore-shared", "state": True}])

    async def _hand_over_pipe(self) -> None:
        with self._qemu_pipe:
            try:
                self.qmp.send_fd_scm(self._qemu_pipe.fileno())
            except (QMPError, OSError) as error:
                raise QemuGone(f"handing over the snapshot's pipe: {error}") from error
            await self.command("getfd", fdname="snapshot")

    def _feed(self, snapshot: Path) -> None:
        with snapshot.open("rb") as source, contextlib.suppress(BrokenPipeError), self._pipe:
            shutil.copyfileobj(source, self._pipe, 1 << 20)  # a broken pipe: QEMU died, as its next command shows

    def _drain(self, snapshot: Path) -> None:
        with self._pipe, snapshot.open("wb") as target:
            shutil.copyfileobj(self._pipe, target, 1 << 20)


def wrapper(address_space_bytes: int, group: int | None) -> list[str]:
    """Return the words before QEMU's command: limits, no privileges, death with its parent.

    Raises:
        MissingTool: util-linux is not there.
    """
    for tool in ("prlimit", "setpriv"):
        if not shutil.which(tool):
            raise MissingTool(f"{tool} is not installed: `sudo apt-get install util-linux`")
    command = ["prlimit", f"--fsize={FILE_LIMIT}", "--core=0", f"--as={address_space_bytes}", "--"]
    privileges = ["--no-new-privs"]
    if os.geteuid() == 0:
        nobody = pwd.getpwnam(NOBODY)
        privileges += [f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--bounding-set=-all", "--inh-caps=-all"]
        privileges += ["--clear-groups" if group is None else f"--groups={group}"]
    return [*command, *dying_with_parent("KILL", *privileges)]


@contextlib.asynccontextmanager
async def start(
    build_command: Callable[[int], list[str]],
    *,
    pass_fds: tuple[int, ...],
    address_space_bytes: int,
    saves: bool = False,
    group: int | None = None,
) -> AsyncIterator[QemuProcess]:
    """Start QEMU and connect to it; kill it when the block ends, whatever the reason.

    Args:
        build_command: Given the number of QMP's file descriptor, returns QEMU's command line.
        pass_fds: File descriptors QEMU inherits.
        address_space_bytes: Limit of QEMU's address space.
        saves: Whether QEMU writes a snapshot (else it may read one).
        group: A group QEMU needs although it drops the others (that of /dev/kvm).

    Raises:
        QemuGone: It ended before it answered; the text is its error output.
    """
    qmp = QMPClient("schedcp")
    with contextlib.ExitStack() as stack:
        ours, theirs = (stack.enter_context(end) for end in socket.socketpair())
        read_fd, write_fd = os.pipe()
        reader = stack.enter_context(os.fdopen(read_fd, "rb", buffering=0))
        writer = stack.enter_context(os.fdopen(write_fd, "wb", buffering=0))
        qemu_pipe, our_pipe = (writer, reader) if saves else (reader, writer)
        words = stack.enter_context(os.fdopen(os.memfd_create("schedcp-stderr"), "rb"))
        process = await asyncio.create_subprocess_exec(
            *wrapper(address_space_bytes, group),
            *build_command(theirs.fileno()),
            pass_fds=(*pass_fds, theirs.fileno()),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=words.fileno(),
            start_new_session=True,  # a Ctrl-C at our terminal is ours to act on, not QEMU's
        )
        try:
            theirs.close()
            try:
                await qmp.connect(ours)
            except (QMPError, OSError, EOFError) as error:
                await _kill(process)
                words.seek(0)
                raise QemuGone(words.read()[-2000:].decode(errors="replace").strip() or str(error)) from error
            yield QemuProcess(process, qmp, our_pipe, qemu_pipe)
        finally:
            await _kill(process)
            with contextlib.suppress(Exception):  # the other side is gone; there is nothing left to say
                await qmp.disconnect()


async def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
