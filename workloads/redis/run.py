# SPDX-License-Identifier: Apache-2.0
"""Redis under load by its own benchmark, beside a batch job: prints the metrics as JSON."""

import argparse
import json
import random
import re
import subprocess
from pathlib import Path

from crew import observe
from packers import Packers
from serving import server

_PERCENTILE = re.compile(r"^(\d+\.\d+)% <= (\d+\.\d+) milliseconds \(cumulative count (\d+)\)$", re.MULTILINE)
_COMPLETED = re.compile(r"^ *(\d+) requests completed in \d+\.\d+ seconds$", re.MULTILINE)
_THROUGHPUT = re.compile(r"^ *throughput summary: (\d+\.\d+) requests per second$", re.MULTILINE)
_SUMMARY = re.compile(
    r"^ *latency summary \(msec\):\s*^ *avg +min +p50 +p95 +p99 +max *$\s*^((?: +\d+\.\d{3}){6})$", re.MULTILINE
)


def parse(output: str, requests: int) -> dict[str, float]:
    """Reads what redis-benchmark printed.

    Args:
        output: Its standard output.
        requests: How many it was to make.

    Raises:
        ValueError: It is not the whole report of so many requests.
    """
    text = output.replace("\r", "\n")
    completed = _COMPLETED.findall(text)
    if completed != [str(requests)]:
        raise ValueError(f"redis-benchmark completed {', '.join(completed) or 'nothing'}, not {requests} requests")
    throughput, summary = _THROUGHPUT.search(text), _SUMMARY.search(text)
    if throughput is None or summary is None:
        raise ValueError("redis-benchmark's summary is missing or cut short")
    p50_ms, p99_ms = (float(summary[1].split()[place]) for place in (2, 4))
    return {
        "p50_request_us": round(p50_ms * 1e3, 3),
        "p99_request_us": round(p99_ms * 1e3, 3),
        "p999_request_us": round(_percentile_ms(text, 99.9, requests) * 1e3, 3),
        "requests_per_s": float(throughput[1]),
    }


def _percentile_ms(text: str, percent: float, requests: int) -> float:
    """The first value of the distribution by percentiles that so many per cent of the requests do not exceed."""
    block = text.partition("Latency by percentile distribution:")[2].partition("Cumulative distribution")[0]
    values = [(float(share), float(value_ms), int(count)) for share, value_ms, count in _PERCENTILE.findall(block)]
    if not values or values[-1][0] != 100.0 or values[-1][2] != requests:
        raise ValueError("redis-benchmark's distribution of latencies is missing or cut short")
    return next(value_ms for share, value_ms, _ in values if share >= percent)


def fill(socket: Path, keys: int, value_bytes: int, seed: int) -> None:
    """Gives each key of the benchmark its value, in an order by the seed."""
    draw = random.Random(seed)
    noise = draw.randbytes(2 * value_bytes).hex().encode()
    places = list(range(keys))
    draw.shuffle(places)
    parts = []
    for place in places:
        begin = draw.randrange(2 * value_bytes)
        words = (b"SET", b"key:%012d" % place, noise[begin : begin + value_bytes])
        parts.append(b"*3\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
    told = subprocess.run(
        ["redis-cli", "-s", str(socket), "--pipe"], input=b"".join(parts), stdout=subprocess.PIPE, check=True
    )
    if b"errors: 0, replies: %d" % keys not in told.stdout:
        raise ValueError(f"redis-cli could not fill the store: {told.stdout.decode(errors='replace')[-200:]}")


def benchmark(socket: Path, argument: argparse.Namespace, requests: int, seed: int) -> str:
    """Runs redis-benchmark: reads of keys drawn at random, all alike."""
    command = ["redis-benchmark", "-s", str(socket), "-t", "get", "-n", str(requests), "-c", str(argument.clients)]
    command += ["-r", str(argument.keys), "--precision", "3", "--seed", str(seed)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def measure(argument: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Serves the requests beside the batch."""
    socket = folder / "socket"
    command = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"]
    command += ["--daemonize", "no", "--dir", str(folder)]
    names = [f"pack-{place}" for place in range(argument.workers)]
    with server(command, str(socket), b"PING\r\n", folder / "log"):
        fill(socket, argument.keys, argument.value_bytes, argument.seed)
        benchmark(socket, argument, argument.warmup, argument.seed + 1)
        with Packers(names, argument.seed) as packers:
            observe()
            begin = packers.progress()
            packers.release()
            output = benchmark(socket, argument, argument.requests, argument.seed)
            return parse(output, argument.requests) | {"batch_work_per_s": packers.pieces_per_s(begin)}


def main() -> None:
    """Reads the arguments, prints the metrics."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("seed", "requests", "warmup", "clients", "keys", "value-bytes", "workers"):
        parser.add_argument(f"--{name}", type=int, required=True)
    folder = Path("/tmp/redis")
    folder.mkdir()
    print(json.dumps(measure(parser.parse_args(), folder)))


if __name__ == "__main__":
    main()
