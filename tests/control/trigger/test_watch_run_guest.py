"""The command from end to end: a container appears on the host, and a run measures policies for it."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.guest

PODMAN = f"machine.slice/libpod-{'5' * 64}.scope"
SETTINGS = ("budget.evaluations=1", "heldout.seeds=3", "cache=false")
LIMIT_S = 240.0


@contextlib.contextmanager
def watching(cgroups, folder):
    words = ["--agent", "random_search", "--settle", "0.2", "--cgroup", str(cgroups.root), "--folder", str(folder)]
    words += [word for setting in SETTINGS for word in ("--set", setting)]
    command = [sys.executable, "-m", "schedcp_gym.cli", "watch", *words, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def until(process, kind):
    for line in process.stdout:
        entry = json.loads(line)
        if entry["kind"] == kind:
            return entry
    raise AssertionError(process.stderr.read())


def wait_until(holds, limit_s):
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_workload_that_appears_is_optimised_and_ctrl_c_loses_nothing(cgroups, tmp_path):
    with watching(cgroups, tmp_path) as process:
        until(process, "watching")
        cgroups.start(f"{PODMAN}/container", called="/usr/bin/schbench")
        started = until(process, "started")
        assert started["workload"] == "schbench"
        record = Path(started["run"]) / "record.jsonl"
        wait_until(record.exists, LIMIT_S)  # the first measurement is made
        process.send_signal(signal.SIGINT)
        assert until(process, "interrupted")["run"] == started["run"]
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert started["command"] in err
    before = record.read_text()

    cgroups.clear_processes()  # what was begun is ended, also without the container
    with watching(cgroups, tmp_path) as process:
        finished = until(process, "finished")
        process.stderr.close()  # a signal is heeded also when nobody listens any more
        process.terminate()
        assert process.wait(timeout=60) == 143
    assert finished["run"] == started["run"]
    assert finished["improvement"] > 0
    assert record.read_text().startswith(before)
    assert json.loads((record.parent / "best.json").read_text())["policy"] == finished["policy"]
