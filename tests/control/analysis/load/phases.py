"""A load of two halves for the tests of change detection: three processes compute, then two answer each other.

Prints, as JSON, when the first half was over: seconds from the start of this process.
"""

import json
import os
import time

ROUNDS, PINGS = 900_000, 3000


def in_child(work):
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    return pid


def compute():
    total = 0
    for number in range(ROUNDS):
        total += number


def answer(read_end, write_end):
    for _ in range(PINGS):
        os.write(write_end, os.read(read_end, 1))


def main():
    began = time.clock_gettime(time.CLOCK_MONOTONIC)
    for pid in [in_child(compute) for _ in range(3)]:
        os.waitpid(pid, 0)
    turn_s = time.clock_gettime(time.CLOCK_MONOTONIC) - began
    (here_out, there_in), (there_out, here_in) = os.pipe(), os.pipe()
    pid = in_child(lambda: answer(here_out, here_in))
    for _ in range(PINGS):
        os.write(there_in, b"x")
        os.read(there_out, 1)
    os.waitpid(pid, 0)
    print(json.dumps({"turn_s": turn_s}))


main()
