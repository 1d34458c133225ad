"""What tests share: the lab, the machine of two CPUs, and a way to run a shell script in it."""

import dataclasses
import os
import time
from pathlib import Path

import pytest

from schedcp_gym.lab import Lab, catalogue
from schedcp_gym.machine import Job
from schedcp_gym.machine.image import ensure_image, find_image
from schedcp_gym.spec import MachineSpec, Trial


def job(script, files=None, max_job_s=20.0):
    """A job that runs a shell script, with more files beside it."""
    head = "#!/bin/sh\n" if not script.startswith("#!") else ""
    return Job({"run": (head + script).encode(), **(files or {})}, max_job_s)


def repeatable(result):
    """What of a job's result is a pure function of the job: all but the host's timings."""
    return dataclasses.replace(result, timings_s={})


def make_trial(policy="fifo", workload="schbench", tunables=None, **more):
    """A trial from names."""
    return Trial(catalogue.load_policy(policy, tunables or {}), catalogue.load_workload(workload), **more)


def descendants(below=None):
    """Process ids below this one, or the given one, with their names: {pid: name}."""
    top = below or os.getpid()
    parents, names = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        pid, rest = int(text.split(" ", 1)[0]), text.rpartition(")")[2].split()
        names[pid], parents[pid] = text[text.index("(") + 1 : text.rindex(")")], int(rest[1])
        if rest[0] == "Z":
            names[pid] += " (zombie)"
    found = {}
    grew = True
    while grew:
        grew = False
        for pid, parent in parents.items():
            if pid not in found and (parent == top or parent in found):
                found[pid], grew = names[pid], True
    return found


def qemus(below=None):
    """Process ids of the QEMUs that this process, or the given one, has started."""
    return [pid for pid, name in descendants(below).items() if name.startswith("qemu-system")]


def wait_until(holds, limit_s=60.0):
    """Looks again and again until something holds; returns it. Fails after the limit."""
    end = time.monotonic() + limit_s
    while not (found := holds()):
        assert time.monotonic() < end, f"not so after {limit_s} s"
        time.sleep(0.002)
    return found


def process_field(pid, name):
    """A line of /proc/PID/status, without its name; empty when the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}:")), "")


def is_gone(pid):
    """Whether a process has ended, reaped or not."""
    return process_field(pid, "State")[:1] in ("", "Z", "X")


@pytest.fixture(scope="session")
def image():
    """The cached image of Debian's kernel; built if it was not there, said so if it can't be."""
    inputs = catalogue.image_inputs("debian")
    return find_image(inputs) or ensure_image(inputs, lambda text, share: None)


@pytest.fixture(scope="session")
def lab(image):
    """A lab that measures everything anew, two at once."""
    return Lab(workers=2, cache=False)


@pytest.fixture(scope="session")
def machine(lab):
    """The default machine: two CPUs, virtual clock."""
    return lab.machine(MachineSpec())


@pytest.fixture(scope="session")
def run_job(machine):
    """Runs a shell script in the default machine."""

    def run(script, files=None, max_job_s=20.0, on=None, **more):
        return (on or machine).run(job(script, files, max_job_s), **more)

    return run


@pytest.fixture
def spotless(tmp_path, monkeypatch):
    """Fails if a test leaves a process, a temporary file, shared memory or an open file behind."""
    temporary, here = tmp_path / "tmpdir", tmp_path / "here"
    temporary.mkdir()
    here.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.chdir(here)
    processes, memory, files = descendants(), _shared_memory(), _open_files()
    yield
    assert descendants().keys() <= processes.keys()
    assert list(temporary.iterdir()) == []
    assert list(here.iterdir()) == []
    assert _shared_memory() <= memory
    assert _open_files() <= files


def _open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def _shared_memory():
    return {path.name for path in Path("/dev/shm").iterdir() if "schedcp" in path.name or "qemu" in path.name}
