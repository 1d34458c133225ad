"""The runs that a watcher starts: child processes, each in a folder of its own, some at once, ended cleanly."""

import asyncio
import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from schedcp_gym.machine.orphans import dying_with_parent
from schedcp_gym.spec import MissingTool

COMMAND = "schedcp_gym.run"
#: What a run printed, in its folder.
OUTPUT = "output.txt"
#: Bytes of that which are looked at for a run's last words.
TAIL_BYTES = 8192


@dataclass(frozen=True)
class Order:
    """A run to be started.

    Attributes:
        key: What it is for; each is run once.
        workload: The catalogue's workload.
        agent: The agent's name.
        overrides: Further settings.
        folder: The run's folder.
    """

    key: str
    workload: str
    agent: str
    overrides: tuple[str, ...]
    folder: Path

    @property
    def words(self) -> list[str]:
        """The command that starts the run, or goes on with it."""
        words = [f"+agent={self.agent}", f"workload={self.workload}", *self.overrides]
        return ["-m", COMMAND, *words, f"run.dir={hydra_text(str(self.folder))}"]

    @property
    def line(self) -> str:
        """The same, to be typed."""
        return shlex.join(["python", *self.words])


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Attributes:
        status: Its exit status; minus the signal that killed it.
        words: What it said last.
        gained: The best policy's improvement over EEVDF: on held-out seeds if there are any, else in the search.
        policy: That policy's name.
    """

    status: int
    words: str = ""
    gained: float | None = None
    policy: str = ""


class Slots:
    """Runs as many orders at once as allowed, in the order of their coming."""

    def __init__(self, parallel: int, grace_s: float) -> None:
        """Starts nothing.

        Args:
            parallel: Runs at once.
            grace_s: Seconds a run has to end by itself once it is interrupted.

        Raises:
            MissingTool: util-linux is not there.
        """
        self._free = asyncio.Semaphore(parallel)
        self._grace_s = grace_s
        self._stopping = asyncio.Event()
        self._hurrying = asyncio.Event()
        if not shutil.which("setpriv"):
            raise MissingTool("setpriv is not installed: `sudo apt-get install util-linux`")

    def stop(self, *, hurry: bool = False) -> None:
        """Starts no more runs and interrupts those under way; kills them in a hurry."""
        self._stopping.set()
        if hurry:
            self._hurrying.set()

    async def run(self, order: Order, starts: Callable[[], bool]) -> Ended | None:
        """Carries an order out once there is a place.

        Args:
            order: What to run.
            starts: Asked just before the start; no run if it says so.

        Returns:
            How the run ended; None if it was not started, or interrupted because of :meth:`stop`.
        """
        async with self._free:
            if self._stopping.is_set() or not starts():
                return None
            process = await _start(order)
            ended = asyncio.ensure_future(process.wait())
            await _first(ended, self._stopping)
            interrupted = not ended.done()
            if interrupted:
                await self._interrupt(process, ended)
            status = await ended
        # One that came to its end all the same is done.
        return None if interrupted and status != 0 else _ended(order.folder, status)

    async def _interrupt(self, process: asyncio.subprocess.Process, ended: asyncio.Future[int]) -> None:
        """As Ctrl-C would: the run saves what it has. It is killed when that takes too long, or the user insists."""
        _signal(process, signal.SIGINT)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._grace_s):
                await _first(ended, self._hurrying)
        if not ended.done():
            _signal(process, signal.SIGKILL)


async def _first(ended: asyncio.Future[int], event: asyncio.Event) -> None:
    waiting = asyncio.ensure_future(event.wait())
    either: set[asyncio.Future[Any]] = {ended, waiting}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


async def _start(order: Order) -> asyncio.subprocess.Process:
    order.folder.mkdir(parents=True, exist_ok=True)
    # A watcher that is killed interrupts its runs, also where SIGINT was ignored (nohup); the same command goes on.
    wrapper = ["env", "--default-signal=INT", *dying_with_parent("INT")]
    with (order.folder / OUTPUT).open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *wrapper,
            sys.executable,
            *order.words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C at our terminal is ours to act on
        )


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _ended(folder: Path, status: int) -> Ended:
    if status != 0:
        return Ended(status, _last_words(folder / OUTPUT))
    try:
        best = json.loads((folder / "best.json").read_text())
        gained = best.get("heldout", {}).get("improvement", {}).get("mean", best["improvement"])
        return Ended(status, gained=float(gained), policy=str(best["policy"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # no policy ran to its end
        return Ended(status, _last_words(folder / OUTPUT))


def _last_words(path: Path) -> str:
    """The last line that says something."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def folder_name(workload: str, container: str, key: str) -> str:
    """A folder's name for a run: the same for the same key, another for another, whatever the container is called."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", container)[:12].strip("-.")
    return f"{workload}_{readable}_{sha256(key.encode(errors='surrogateescape')).hexdigest()[:8]}"


def hydra_text(text: str) -> str:
    """A text as Hydra's command line takes it: quoted where it holds something that has a meaning there."""
    if re.fullmatch(r"[\w./@+-]+", text):
        return text
    # Backslashes have a meaning before a quote only.
    return "'" + re.sub(r"(\\*)('|\Z)", lambda found: 2 * found[1] + (r"\'" if found[2] else ""), text) + "'"
