"""A started process ends with the one that started it."""

import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from schedcp_gym.machine.orphans import dying_with_parent

#: Starts a command as QEMU is started, prints its number, and waits.
STARTS = """
import subprocess, sys
from schedcp_gym.machine.orphans import dying_with_parent
child = subprocess.Popen([*dying_with_parent("KILL"), "sleep", "60"], stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
child.wait()
"""


def test_runs_under_the_parent_that_asked(tmp_path: Path) -> None:
    subprocess.run([*dying_with_parent("KILL"), "touch", str(tmp_path / "ran")], check=True)
    assert (tmp_path / "ran").exists()


def test_does_not_begin_when_the_parent_is_gone_already(tmp_path: Path) -> None:
    # Another process in between: the one that asked is not the parent any more.
    command = [*dying_with_parent("KILL"), "touch", str(tmp_path / "ran")]
    ended = subprocess.run(["sh", "-c", '"$@"; exit $?', "sh", *command], check=False)
    assert ended.returncode != 0
    assert not (tmp_path / "ran").exists()


def test_ends_with_its_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", STARTS], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        watched = os.pidfd_open(child)
        parent.kill()
    try:
        assert select.select([watched], [], [], 30)[0]  # readable: the process has ended
    finally:
        os.close(watched)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
