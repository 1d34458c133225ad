#!/usr/bin/python3
"""Runs in the guest: tasks that compute and sleep by turns, and on which CPU each of their turns ended.

Its argument is JSON: for how long, and for each task how long it computes and sleeps, and where it begins.
"""

import ctypes
import json
import os
import sys
import time

LIBC = ctypes.CDLL(None)


def compute(span_s):
    """Uses so much CPU time."""
    end = time.process_time() + span_s
    while time.process_time() < end:
        pass


def live(until, run_ms, sleep_ms=0.0, starts_on=None):
    """Takes turns until then; returns the CPU of each turn."""
    every = os.sched_getaffinity(0)
    if starts_on:
        os.sched_setaffinity(0, starts_on)
        compute(0.005)
        os.sched_setaffinity(0, every)
    cpus = []
    while time.monotonic() < until:
        compute(run_ms / 1000)
        cpus.append(LIBC.sched_getcpu())
        if sleep_ms:
            time.sleep(sleep_ms / 1000)
    return cpus


def main():
    """Prints the CPUs of each task's turns as JSON."""
    asked = json.loads(sys.argv[1])
    until = time.monotonic() + asked["span_s"]
    sources = []
    for how in asked["tasks"]:
        source, sink = os.pipe()
        if os.fork() == 0:
            with os.fdopen(sink, "w") as out:
                json.dump(live(until, **how), out)
            os._exit(0)
        os.close(sink)
        sources.append(source)
    turns = []
    for source in sources:
        with os.fdopen(source) as given:
            turns.append(json.load(given))
    print(json.dumps(turns))


main()
