"""The runner from end to end, on the real kernel."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.guest


def command(folder):
    """A short run, measured anew."""
    words = ["+agent=random_search", "workload=schbench", "budget.evaluations=6", "heldout.seeds=3", "seed=1"]
    return [sys.executable, "-m", "schedcp_gym.run", *words, "cache=false", f"run.dir={folder}"]


def wait_for_qemu(parent):
    """Waits until a process has a child that is QEMU."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for task in Path(f"/proc/{parent}/task").iterdir():
            with contextlib.suppress(OSError):  # threads and children come and go
                children = (task / "children").read_text().split()
                if any("qemu" in Path(f"/proc/{child}/comm").read_text() for child in children):
                    return
        time.sleep(0.01)
    raise TimeoutError("no QEMU was started")


def repeatable(folder):
    """A record's lines without what depends on the host."""
    lines = (folder / "record.jsonl").read_text().splitlines()
    return [json.dumps({**json.loads(line), "host": None}) for line in lines]


def test_an_interrupted_run_goes_on_to_the_same_record(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    done = subprocess.run(command(whole), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "objective" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert {"config.yaml", "summary.csv", "summary.parquet", "best.json"} <= {path.name for path in whole.iterdir()}
    assert len(repeatable(whole)) == 1 + 6 + 6
    best = json.loads((whole / "best.json").read_text())
    assert best["heldout"]["reward"]["low"] <= best["heldout"]["reward"]["mean"]
    assert (whole / best["source"]).is_file()

    with subprocess.Popen(command(cut), stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if line.startswith("evaluation 4/"):
                wait_for_qemu(process.pid)
                os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of the job
    assert process.returncode == 130
    assert "resume with: python -m schedcp_gym.run +agent=random_search" in lines[-1]
    assert "Traceback" not in "".join(lines)
    before = repeatable(cut)
    assert 5 <= len(before) < 7
    assert before == repeatable(whole)[: len(before)]
    assert (cut / "summary.csv").is_file()

    again = subprocess.run(command(cut), capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert repeatable(cut) == repeatable(whole)
    assert (cut / "best.json").read_text() == (whole / "best.json").read_text()
    assert again.stdout.replace(str(cut), "") == done.stdout.replace(str(whole), "")
