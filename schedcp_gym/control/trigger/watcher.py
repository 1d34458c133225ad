"""From a container that appears to a run that looks for a better scheduler."""

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from schedcp_gym.control.trigger.containers import PROC, Container, Rules, containers, programs, workload_of
from schedcp_gym.machine.orphans import dying_with_parent

#: Seconds between two looks, and those that an interrupted run has to save what it has.
LOOK_S, GRACE_S = 1.0, 30.0
BOOT_ID = PROC / "sys/kernel/random/boot_id"
#: Programs that say nothing about what a container is for.
WRAPPERS = {"sh", "bash", "dash", "ash", "pause", "tini", "dumb-init", "catatonit", "conmon", "sleep", "s6-svscan"}


@dataclass
class Watcher:
    """Looks at the containers again and again, and starts one run at a time.

    Attributes:
        say: Called with each line about what was seen and done.
        settle_s: Seconds a container must have had processes.
        once: Whether only containers count that run now.
        dry: Whether it only says what it would start.
        failed: Runs that failed.
    """

    say: Callable[[str], None]
    rules: Rules
    agent: str
    overrides: tuple[str, ...]
    settle_s: float
    folder: Path
    once: bool = False
    dry: bool = False
    proc: Path = PROC
    failed: int = 0
    _since: dict[Container, float] = field(default_factory=dict)
    _done: set[Container] = field(default_factory=set)
    _unknown: set[Container] = field(default_factory=set)
    _waiting: dict[Container, tuple[Path, list[str]]] = field(default_factory=dict)
    _running: tuple[Path, list[str], "subprocess.Popen[bytes]"] | None = None

    def watch(self) -> None:
        """Watch until Ctrl-C, which interrupts the run, or with ``once`` until nothing is left to do."""
        begin, there = time.monotonic(), containers(self.proc)
        self._done = set() if self.once else set(there)
        self.say(f"watching; {len(there)} containers are running")
        try:
            busy = True
            while busy or not self.once:
                now = time.monotonic()
                self._look(now)
                self._go_on()
                busy = bool(self._running or self._waiting) or now < begin + self.settle_s
                time.sleep(LOOK_S)
        finally:
            self._interrupt()

    def _look(self, now: float) -> None:
        """Order a run for each container that is new, has settled and has a known program."""
        there = containers(self.proc)
        self._since = {container: self._since.get(container, now) for container in there}
        self._done &= there.keys()
        self._unknown &= there.keys()
        self._waiting = {container: run for container, run in self._waiting.items() if container in there}
        settled = {container for container, since in self._since.items() if now >= since + self.settle_s}
        for container in (one for one in there if one in settled - self._done):
            names = programs(there[container])
            if workload := workload_of(self.rules, names):
                self._done.add(container)
                self._order(container, workload)
            elif container not in self._unknown:  # it is looked at again: a shell may become a server
                self._unknown.add(container)
                self.say(f"{container}: {advice([name for name, *_ in names])}")

    def _order(self, container: Container, workload: str) -> None:
        # systemd gives an id again after the next boot; other runtimes keep a container's id when it starts again.
        boot = BOOT_ID.read_text() if container.runtime == "systemd-run" else ""
        name = re.sub(r"[^A-Za-z0-9]+", "-", container.id)[:12].strip("-")
        digest = sha256(f"{container.cgroup}{boot}".encode(errors="replace")).hexdigest()[:8]
        folder = self.folder / f"{workload}_{name}_{digest}"
        settings = [f"+agent={self.agent}", f"workload={workload}", *self.overrides, f"run.dir={folder}"]
        words = ["-m", "schedcp_gym.run", *settings]
        if (folder / "summary.json").exists():
            self.say(f"{container}: {workload}: there is a run for it: {folder}")
        elif self.dry:
            self.say(f"{container}: {workload}: would start {shlex.join(['python', *words])}")
        else:
            self._waiting[container] = (folder, words)

    def _go_on(self) -> None:
        """Say how a run ended, and start the next."""
        if self._running and (status := self._running[2].poll()) is not None:
            folder, self._running = self._running[0], None
            self.failed += status != 0
            self.say(f"{folder}: {result_of(folder, status)}")
        if self._waiting and not self._running:
            container = next(iter(self._waiting))
            folder, words = self._waiting.pop(container)
            self.say(f"{container}: the run begins in {folder}")
            self._running = (folder, words, _start(folder, words))

    def _interrupt(self) -> None:
        """Let a run save what it has, as Ctrl-C does; kill it when that takes too long, or the user insists."""
        if self._running is None:
            return
        _, words, process = self._running
        self.say("interrupting the run; Ctrl-C once more kills it")
        try:
            process.send_signal(signal.SIGINT)
            process.wait(GRACE_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
        self.say(f"this goes on with it: {shlex.join(['python', *words])}")


def advice(names: list[str]) -> str:
    """Return the line of a rule file that makes a container's programs known."""
    unknown = list(dict.fromkeys(name for name in names if name not in WRAPPERS))[:3] or ["PROGRAM"]
    return f"no rule knows it; add the line `WORKLOAD: {json.dumps(unknown)}` to a file and give it as --rules FILE"


def result_of(folder: Path, status: int) -> str:
    """Return in words how a run ended: its best policy, or the last line it printed."""
    best = folder / "best.json"
    if status == 0 and best.exists():
        found = json.loads(best.read_text())
        gained = found.get("heldout", {}).get("improvement", {}).get("mean", found["improvement"])
        return f"{found['policy']} is {gained:.2f}x EEVDF"
    printed = (folder / "output.txt").read_text(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(printed) if line.strip()), "it printed nothing")
    return f"{'failed' if status else 'no policy'}: {last}"


def _start(folder: Path, words: list[str]) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    # A watcher that is killed interrupts its run, also where SIGINT was ignored (nohup).
    wrapper = ["env", "--default-signal=INT", *dying_with_parent("INT")]
    with (folder / "output.txt").open("ab") as output:
        return subprocess.Popen(
            [*wrapper, sys.executable, *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C at the terminal reaches the watcher only
        )
