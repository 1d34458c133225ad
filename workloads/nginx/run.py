# SPDX-License-Identifier: Apache-2.0
"""nginx under load by wrk, beside a batch job: prints the metrics as JSON."""

import argparse
import json
import math
import random
import subprocess
from pathlib import Path

from crew import observe
from packers import Packers
from serving import server

FOLDER = Path("/tmp/nginx")
HERE = Path(__file__).resolve().parent
PORT = 8080
SMALL, LARGE = 56, 8
SMALL_BYTES, LARGE_BYTES = 2048, 65536
#: One request in so many is for a large file.
LARGE_EVERY = 12
#: wrk ends when it has all answers; this is for when it never does.
LIMIT_S = 3600
#: An answer that takes longer is an error. wrk has a counter for each microsecond of it (in memory it hardly touches).
TIMEOUT_S = 20


def parse(output: str, requests: int, connections: int) -> dict[str, float]:
    """Reads what wrk and load.lua printed.

    Args:
        output: Its standard output.
        requests: How many it was to make.
        connections: Over how many connections.

    Raises:
        ValueError: It is not the whole report of so many requests, or some failed.
    """
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if len(lines) != 1:
        raise ValueError(f"wrk's figures are missing: {output[-200:]}")
    try:
        told = json.loads(lines[0])
        if told["errors"] or told["requests"] != requests:
            raise ValueError(f"wrk had {told['requests']} answers, not {requests}, and {told['errors']} errors")
        duration_us = int(told["duration_us"])
        if duration_us <= 0:
            raise ValueError(f"wrk's duration is {duration_us} us")
        counts = {int(time_us): int(count) for time_us, count in told["latencies_us"]}
        latencies = as_measured(counts, duration_us // (requests // connections))
        figures = {f"p{percent}_request_us": percentile(latencies, percent) for percent in (50, 90, 99)}
    except (KeyError, TypeError) as error:
        raise ValueError(f"wrk's figures can't be read: {type(error).__name__} {error}") from None
    if sum(latencies.values()) != requests or min(latencies.values()) < 0:
        raise ValueError(f"wrk timed {sum(latencies.values())} requests, not {requests}")
    return {**figures, "requests_per_s": round(requests * 1e6 / duration_us, 3)}


def as_measured(counts: dict[int, int], interval_us: int) -> dict[int, int]:
    """Takes back what wrk adds to its latencies: how many were measured of each.

    For each latency n above twice the mean interval between a connection's requests, wrk adds what requests sent at
    that interval would have had to wait: n - interval, n - 2 interval … down to the interval. That is right for load
    at a fixed rate. Here connections pause by plan after each answer: nothing is left out, what is added is wrong.
    """
    measured = dict(counts)
    for time_us in sorted(counts, reverse=True):
        # All that is above is as measured by now, and so is this.
        for added_us in range(time_us - interval_us, interval_us, -interval_us):
            measured[added_us] = measured.get(added_us, 0) - measured[time_us]
    return {time_us: count for time_us, count in sorted(measured.items()) if count}


def percentile(latencies: dict[int, int], percent: int) -> float:
    """The least latency that so many per cent of the requests do not exceed."""
    left = math.ceil(sum(latencies.values()) * percent / 100)
    for time_us, count in latencies.items():
        left -= count
        if left <= 0:
            return float(time_us)
    raise ValueError("wrk timed no requests")


def make_files(draw: random.Random) -> list[str]:
    """Writes the files that are served; their paths, the small ones first."""
    root = FOLDER / "www"
    root.mkdir()
    noise = draw.randbytes(2 * LARGE_BYTES)
    paths = []
    for place in range(SMALL + LARGE):
        size = SMALL_BYTES if place < SMALL else LARGE_BYTES
        begin = draw.randrange(LARGE_BYTES)
        path = f"/{'page' if place < SMALL else 'image'}-{draw.getrandbits(32):08x}-{place}"
        (root / path[1:]).write_bytes(noise[begin : begin + size])
        paths.append(path)
    return paths


def make_plan(paths: list[str], requests: int, pause_ms: float, draw: random.Random) -> str:
    """A line for each request: pause in ms, and path.

    The pauses are the quantiles of an exponential distribution, and every file of a kind has its turn: the seed
    shuffles both, so their sums are always the same.
    """
    large = requests // LARGE_EVERY
    chosen = [paths[SMALL + place % LARGE] for place in range(large)]
    chosen += [paths[place % SMALL] for place in range(requests - large)]
    pauses = [round(-pause_ms * math.log(1 - (place + 0.5) / requests)) for place in range(requests)]
    draw.shuffle(chosen)
    draw.shuffle(pauses)
    return "".join(f"{pause} {path}\n" for pause, path in zip(pauses, chosen, strict=True))


def load(plan: str, connections: int) -> subprocess.Popen[str]:
    """Starts wrk on a plan's requests."""
    file = FOLDER / "plan"
    file.write_text(plan)
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{LIMIT_S}s"]
    command += ["--timeout", f"{TIMEOUT_S}s", "--script", str(HERE / "load.lua")]
    command += [f"http://127.0.0.1:{PORT}/", str(file), str(connections)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def answers(wrk: subprocess.Popen[str]) -> None:
    """Waits for the last answer.

    Raises:
        ValueError: wrk ended without.
    """
    assert wrk.stdout is not None
    if not any(line == "answered\n" for line in wrk.stdout):
        raise ValueError(f"wrk ended before all requests were answered: status {wrk.wait()}")


def measure(argument: argparse.Namespace) -> dict[str, float]:
    """Serves the requests beside the batch."""
    FOLDER.mkdir()
    draw = random.Random(argument.seed)
    paths = make_files(draw)
    # Opened once, files stay in nginx's cache.
    warmup = make_plan(paths, argument.warmup, 0.0, draw)
    plan = make_plan(paths, argument.requests, argument.pause_ms, draw)
    command = ["nginx", "-p", str(FOLDER), "-c", str(HERE / "nginx.conf")]
    command += ["-e", "stderr", "-g", f"worker_processes {argument.cpus};"]
    greeting = f"GET {paths[0]} HTTP/1.0\r\n\r\n".encode()
    names = [f"pack-{place}" for place in range(argument.workers)]
    with server(command, ("127.0.0.1", PORT), greeting, FOLDER / "log"):
        with load(warmup, argument.connections) as wrk:
            answers(wrk)
            wrk.communicate()
        with Packers(names, argument.seed) as packers:
            observe()
            begin = packers.progress()
            packers.release()
            with load(plan, argument.connections) as wrk:
                answers(wrk)
                work_per_s = packers.pieces_per_s(begin)
                packers.end()
                output = wrk.communicate()[0]
        return parse(output, argument.requests, argument.connections) | {"batch_work_per_s": work_per_s}


def main() -> None:
    """Reads the arguments, prints the metrics."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("seed", "cpus", "requests", "warmup", "connections", "workers"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--pause-ms", type=float, required=True)
    print(json.dumps(measure(parser.parse_args())))


if __name__ == "__main__":
    main()
