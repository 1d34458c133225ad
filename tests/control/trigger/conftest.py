"""Real cgroups: in the host's tree where that can be written to, made as container runtimes make them."""

import contextlib
import os
import subprocess
import time
import uuid
from pathlib import Path

import pytest

from schedcp_gym.control.trigger.watcher import find_root
from schedcp_gym.spec import BadInput

LIMIT_S = 10.0


class Cgroups:
    """A cgroup of the host, below which a test makes its own."""

    def __init__(self, root):
        self.root = root
        self._processes = []

    def make(self, path):
        (self.root / path).mkdir(parents=True, exist_ok=True)
        return self.root / path

    def start(self, path, command=("sleep", "1000"), called=None):
        """Starts a process in a cgroup."""
        folder = self.make(path)
        process = subprocess.Popen(
            [called or command[0], *command[1:]],
            executable=command[0],
            preexec_fn=lambda: (folder / "cgroup.procs").write_text("0"),  # noqa: PLW1509
        )
        self._processes.append(process)
        return process

    def end(self, process):
        process.kill()
        process.wait()

    def remove(self, path=""):
        """Removes a cgroup and those below it; what ran there must have ended."""
        for folder, _, _ in os.walk(self.root / path, topdown=False):
            end = time.monotonic() + LIMIT_S
            while True:
                try:
                    Path(folder).rmdir()
                    break
                except OSError:  # a process is just going
                    assert time.monotonic() < end
                    time.sleep(0.002)

    def clear_processes(self):
        for process in self._processes:
            self.end(process)

    def clear(self):
        self.clear_processes()
        self.remove()


@pytest.fixture
def cgroups():
    """Cgroups of the host; skipped where there are none to write to (the guest's tests have their own)."""
    try:
        root = find_root() / f"schedcp-test-{uuid.uuid4().hex[:12]}"
        root.mkdir()
        (root / "cgroup.events").read_text()
    except (OSError, BadInput) as error:
        with contextlib.suppress(OSError, UnboundLocalError):
            root.rmdir()
        pytest.skip(f"the host's cgroups can't be written to: {error}")
    made = Cgroups(root)
    yield made
    made.clear()
