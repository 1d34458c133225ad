#!/usr/bin/python3
"""Runs in the guest: tasks that do one thing each, whose cost is known.

    cache_actors.py CASE ARGUMENTS...

Prints one JSON object with what the test needs beside the module's own account.
"""

import json
import os
import sys
import time
from pathlib import Path

SPINS = 300_000


def take_name(name):
    Path("/proc/self/comm").write_text(name)


def pin(cpu):
    os.sched_setaffinity(0, {cpu})


def spin(count):
    for _ in range(count):
        pass


def child(name, cpu, work):
    """Forks a task of that name on that CPU; returns its pid."""
    pid = os.fork()
    if pid == 0:
        pin(cpu)
        take_name(name)
        work()
        os._exit(0)
    return pid


def wait(*pids):
    for pid in pids:
        assert os.waitpid(pid, 0)[1] == 0


def stay(cpu, times):
    """Sleeps and goes on, on one CPU that nothing else uses."""

    def work():
        for _ in range(times):
            time.sleep(0.002)

    wait(child("actor", cpu, work))


def move(first, second, times):
    """Goes to and fro between two CPUs."""
    spent = []

    def work():
        spin(1000)
        before = time.thread_time()
        for _ in range(times // 2):
            pin(second)
            pin(first)
        spent.append(time.thread_time() - before)
        Path("/result/moves_s").write_text(str(spent[0]))

    wait(child("actor", first, work))
    return {"cpu_s": float(Path("/result/moves_s").read_text())}


def alternate(first, second, times):
    """Two tasks wake each other in turn through pipes."""
    there, back = os.pipe(), os.pipe()

    def ask():
        for _ in range(times):
            os.write(there[1], b"x")
            os.read(back[0], 1)

    def answer():
        for _ in range(times):
            os.read(there[0], 1)
            os.write(back[1], b"x")

    wait(child("actor", first, ask), child("other", second, answer))


def stream(cpu, times):
    """One task waits for the other, which streams through memory in between; gives the streamer's CPU seconds."""
    there, back, told = os.pipe(), os.pipe(), os.pipe()

    def ask():
        for _ in range(times):
            os.write(there[1], b"x")
            os.read(back[0], 1)

    def answer():
        before = time.thread_time()
        for _ in range(times):
            os.read(there[0], 1)
            spin(3000)
            os.write(back[1], b"x")
        os.write(told[1], str(time.thread_time() - before).encode())

    wait(child("actor", cpu, ask), child("streamer", cpu, answer))
    return {"streamed_s": float(os.read(told[0], 64))}


def spin_on(*cpus):
    """Runs a fixed loop on each CPU at once; gives the seconds that each took."""
    start = time.monotonic() + 0.1
    readers = []
    pids = []
    for cpu in cpus:
        reader, writer = os.pipe()
        readers.append(reader)

        def work(writer=writer):
            while time.monotonic() < start:
                pass
            begun = time.monotonic()
            spin(SPINS)
            os.write(writer, str(time.monotonic() - begun).encode())

        pids.append(child("actor", cpu, work))
    wait(*pids)
    return {"taken_s": [float(os.read(reader, 64)) for reader in readers]}


def spin_away(home, cpu):
    """Begins on one CPU, then runs a fixed loop on another."""
    reader, writer = os.pipe()

    def work():
        spin(1000)
        pin(cpu)
        begun = time.monotonic()
        spin(SPINS)
        os.write(writer, str(time.monotonic() - begun).encode())

    wait(child("actor", home, work))
    return {"taken_s": [float(os.read(reader, 64))]}


if __name__ == "__main__":
    found = globals()[sys.argv[1]](*map(int, sys.argv[2:]))
    print(json.dumps(found or {}))
