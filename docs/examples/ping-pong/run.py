# SPDX-License-Identifier: Apache-2.0
"""Pass a byte back and forth beside busy processes, and print the metrics as JSON."""

import json
import os
import random
import signal
import sys
import time

cpus, rounds, seed = map(int, sys.argv[1:])
draw = random.Random(seed)
(requests, ask), (answers, reply) = os.pipe(), os.pipe()
children = []
for number in range(cpus + 1):
    if child := os.fork():
        children.append(child)
    elif number < cpus:
        while True:  # busy, without end
            pass
    else:
        while byte := os.read(requests, 1):  # the server
            os.write(reply, byte)

times_us = []
for _ in range(rounds):
    sum(range(draw.randrange(2000)))  # the client's work between two requests
    sent_ns = time.monotonic_ns()
    os.write(ask, b"!")
    os.read(answers, 1)
    times_us.append((time.monotonic_ns() - sent_ns) / 1e3)
for child in children:
    os.kill(child, signal.SIGKILL)
print(json.dumps({"p99_round_trip_us": sorted(times_us)[int(0.99 * rounds)]}))
