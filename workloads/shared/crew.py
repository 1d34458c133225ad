# SPDX-License-Identifier: Apache-2.0
"""Processes that wait, ready, and begin at once, so that starting them is not part of what is measured.

They are forked and not executed: Python takes a quarter of a second to start on the slow virtual CPUs, and what was
read or made before is the same for all.
"""

import os
import signal
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self


def observe() -> None:
    """Makes the calling process a real-time task, so that it sees what happens when it happens.

    Else the policy under test would decide when a driver that waits for the end of something reads the clock. It sleeps
    nearly all the time; what it starts later is a common task again.
    """
    os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))


class Crew:
    """Processes with a name and a task each; a context that ends and collects those that are left.

    Args:
        tasks: Process name (15 characters at most) and what it does after the release.

    Raises:
        RuntimeError: One did not start.
    """

    def __init__(self, tasks: list[tuple[str, Callable[[], object]]]) -> None:
        self.names = [name for name, _ in tasks]
        self._running: dict[int, str] = {}
        ready, tell = os.pipe()
        self._pipe: tuple[int, ...] = os.pipe()
        for name, task in tasks:
            process = os.fork()
            if not process:
                self._be(name, task, tell)
            self._running[process] = name
        os.close(tell)
        with os.fdopen(ready, "rb") as stream:
            if len(stream.read(len(tasks))) < len(tasks):
                self.end()
                raise RuntimeError(f"not all of {', '.join(self.names)} started")

    def _be(self, name: str, task: Callable[[], object], tell: int) -> NoReturn:
        """A process's life; the fork must not return into its parent's code."""
        try:
            Path("/proc/self/comm").write_text(name)
            os.write(tell, b"r")
            os.close(tell)
            if os.read(self._pipe[0], 1):
                task()
                os._exit(0)
        except Exception:  # noqa: BLE001
            traceback.print_exc()
        finally:
            os._exit(1)

    def release(self) -> None:
        """Lets all begin."""
        os.write(self._pipe[1], b"g" * len(self.names))

    def join(self) -> None:
        """Waits until all are done.

        Raises:
            RuntimeError: One failed.
        """
        for process, name in list(self._running.items()):
            status = os.waitpid(process, 0)[1]
            del self._running[process]
            if status:
                raise RuntimeError(f"{name} failed: status {status}")

    def check(self) -> None:
        """Makes sure that none has ended yet.

        Raises:
            RuntimeError: One has.
        """
        for process, name in list(self._running.items()):
            if os.waitpid(process, os.WNOHANG)[0]:
                del self._running[process]
                raise RuntimeError(f"{name} ended too soon")

    def end(self) -> None:
        """Ends and collects those that are left."""
        for process in self._running:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
        self._running.clear()
        for descriptor in self._pipe:
            os.close(descriptor)
        self._pipe = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()
