#!/usr/bin/python3
"""Runs in the guest: tasks of all kinds under whatever schedules, what each got, and a CPU that goes and comes."""

import ctypes
import json
import os
import signal
import time
from pathlib import Path

STATE = "/sys/kernel/sched_ext/state"
CPU1 = "/sys/devices/system/cpu/cpu1/online"
LIBC = ctypes.CDLL(None)


def live(span_s, cpus=None, nice=0, sleep_s=0.0):
    """Computes, or sleeps again and again, for a while; says what CPU time it got and how long it had to wait."""
    if cpus:
        os.sched_setaffinity(0, cpus)
    os.nice(nice)
    end = last = time.monotonic()
    end += span_s
    longest_wait_s, strayed = 0.0, 0
    used = time.process_time()
    while last < end:
        if sleep_s:
            time.sleep(sleep_s)
        now = time.monotonic()
        longest_wait_s = max(longest_wait_s, now - last - sleep_s)
        last = now
        strayed += bool(cpus) and LIBC.sched_getcpu() not in cpus
    return {
        "cpu_ms": round(1000 * (time.process_time() - used)),
        "wait_ms": round(1000 * longest_wait_s),
        "strayed": strayed,
    }


def start(**how):
    """Starts such a task as a process; returns its process id and where its figures come from."""
    source, sink = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(source)
        os.write(sink, json.dumps(live(**how)).encode())
        os._exit(0)
    os.close(sink)
    return pid, source


def together(tasks):
    """Runs tasks at once: name → how. Returns name → figures."""
    started = {name: start(**how) for name, how in tasks.items()}
    figures = {}
    for name, (pid, source) in started.items():
        figures[name] = json.loads(os.read(source, 1000))
        os.close(source)
        os.waitpid(pid, 0)
    return figures


def write(path, text):
    """Writes a file of the kernel's in one go."""
    Path(path).write_text(text)


def read(path):
    """A file of the kernel's, without the newline at its end."""
    return Path(path).read_text().strip()


def take_a_cpu_away(hogs):
    """Takes CPU 1 off and back under load; says who scheduled meanwhile, and whether all tasks ran afterwards."""
    pids = [start(span_s=1000.0, **how)[0] for how in hogs]
    states = []
    for online in ("0", "1"):
        time.sleep(0.1)
        write(CPU1, online)
        states += [read(CPU1), read(STATE)]

    def used():
        # The name is in brackets and may hold anything: count from behind it.
        return [sum(map(int, read(f"/proc/{pid}/stat").rpartition(")")[2].split()[11:13])) for pid in pids]

    before, end = used(), time.monotonic() + 2
    while time.monotonic() < end and any(now <= was for now, was in zip(used(), before, strict=True)):
        time.sleep(0.05)
    stuck = sum(now <= was for now, was in zip(used(), before, strict=True))
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return {"states": states, "stuck": stuck}


def main():
    """Prints all figures as JSON."""
    span_s = 1.0
    crowd = {f"hog{number}": {"span_s": span_s} for number in range(4)}
    crowd |= {f"sleeper{number}": {"span_s": span_s, "sleep_s": 0.005} for number in range(2)}
    crowd["pinned"] = {"span_s": span_s, "cpus": {1}}
    crowd["pinned sleeper"] = {"span_s": span_s, "cpus": {0}, "sleep_s": 0.005}
    pair = {name: {"span_s": 0.9, "cpus": {1}, "nice": nice} for name, nice in (("nice 0", 0), ("nice 5", 5))}
    figures = {"crowd": together(crowd), "pair": together(pair)}
    print(json.dumps(figures | {"hotplug": take_a_cpu_away([{}, {}, {"cpus": {0}}, {"cpus": {1}}, {"cpus": {1}}])}))


main()
