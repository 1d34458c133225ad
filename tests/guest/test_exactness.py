"""A run is a pure function: alone, beside others, from another snapshot, from a cold boot."""

import dataclasses
import logging
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
from conftest import job, make_trial, repeatable

from schedcp_gym.lab import Lab
from schedcp_gym.lab.compiler import find_clang
from schedcp_gym.machine.snapshot import snapshot_path

pytestmark = pytest.mark.guest

#: Prints whatever could differ: random bytes, times, interrupts, who ran where and when, after a burst of processes.
NOISE = """
i=0; while [ $i -lt 30 ]; do sh -c "true | cat" & i=$((i+1)); done; wait
od -An -tx1 -N32 /dev/urandom; cat /proc/sys/kernel/random/uuid; date +%s.%N
cat /proc/interrupts /proc/softirqs /proc/schedstat /proc/stat /proc/vmstat /proc/meminfo /proc/uptime
ps -eLo pid,comm,time,cls,psr,stat; od -An -tx1 /proc/self/auxv; dmesg
python3 -c "import json"; sha256sum /usr/bin/python3; cat /proc/timer_list
for i in 1 2 3; do { head -c 3000 /dev/urandom | sha256sum; date +%N; } & done; wait
"""


@pytest.fixture(scope="module")
def noise(machine):
    """The job, and what it gave the first time."""
    return job(NOISE), machine.run(job(NOISE))


def same(first, second):
    for name in first.files:
        assert second.files[name] == first.files[name], name
    assert repeatable(second) == repeatable(first)


def test_it_looks_at_what_could_differ(noise):
    text = noise[1].text("stdout")
    assert noise[1].code == 0, noise[1].text("stderr")
    for part in ("timer interrupts", "cpu1", "domain0", "oom_kill", "MemFree", "Linux version"):
        assert part in text


def test_the_same_job_again_and_again(machine, noise):
    for _ in range(2):
        same(noise[1], machine.run(noise[0]))


def test_four_at_once(machine, noise):
    results = [None] * 4

    def run(place):
        results[place] = machine.run(noise[0])

    threads = [threading.Thread(target=run, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        same(noise[1], result)


def test_from_a_cold_boot(machine, noise):
    cold = machine.run(noise[0], cold=True)
    assert cold.console.startswith(noise[1].console)  # a cold boot's own lines come before the job
    same(noise[1], dataclasses.replace(cold, console=noise[1].console))


def test_from_a_snapshot_made_anew_because_the_old_one_was_damaged(machine, noise, tmp_path, monkeypatch, caplog):
    old = machine.ensure_snapshot()
    monkeypatch.setenv("SCHEDCP_CACHE", str(tmp_path))
    new = snapshot_path(machine.image, machine.qemu, machine.spec, machine.accelerator)
    shutil.copy(old, new)
    shutil.copy(old.with_suffix(".json"), new.with_suffix(".json"))
    with new.open("r+b") as file:
        file.seek(40 << 20)
        file.write(b"damage")
    with caplog.at_level(logging.WARNING):
        result = machine.run(noise[0])
    assert f"the cached snapshot {new.name} is damaged; making it again" in caplog.text
    assert new.stat().st_size > 20 << 20
    same(noise[1], result)


def test_a_whole_trial_cold_and_restored_and_beside_another(lab):
    fifo, other = make_trial("fifo", seed=5), make_trial("vtime", seed=5)
    first, _ = lab.measure([fifo, other])
    assert first.ok, first.message
    (again,) = lab.measure([fifo])
    (cold,) = Lab(cache=False, cold=True).measure([fifo])
    assert again.exact() == first.exact()
    assert cold.exact() == first.exact()
    assert first.digests == cold.digests


#: Host clocks for QEMU: it stands still; a second passes at each look.
CLOCKS = {"still": "0", "racing": "1000000"}
CLOCK = """
struct timeval { long seconds, microseconds; };
static long now = 1760000000000000;
int gettimeofday(struct timeval *time, void *zone)
{
	now += STEP;
	time->seconds = now / 1000000;
	time->microseconds = now % 1000000;
	return 0;
}
"""


def preload_clock(folder, step):
    """A library that gives QEMU another wall clock; QEMU sizes its TLBs by it."""
    library = folder / f"clock{step}.so"
    command = [find_clang().path, "-shared", "-fPIC", "-nostdlib", f"-DSTEP={step}", "-x", "c", "-", "-o", library]
    subprocess.run(command, input=CLOCK, text=True, check=True)
    return library


def test_the_sizes_of_the_emulators_tables_do_not_reach_the_guest(lab, monkeypatch):
    trial = make_trial("fifo", tunables={"slice_us": 170515}, seed=5)
    (plain,) = lab.measure([trial])
    assert plain.ok, plain.message
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # QEMU runs as nobody
        for step in CLOCKS.values():
            monkeypatch.setenv("LD_PRELOAD", str(preload_clock(Path(folder), step)))
            (other,) = lab.measure([trial])
            assert other.exact() == plain.exact()
