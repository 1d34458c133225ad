# SPDX-License-Identifier: Apache-2.0
"""A workload that changes half-way, from computing to serving: prints the metrics as JSON."""

import argparse
import hashlib
import json
import math
import mmap
import random
import socket
import struct
import time
import zlib
from collections.abc import Callable
from functools import partial

from crew import Crew, observe
from packers import Packers, log_pieces

_LATENCY = struct.Struct("<Q")
_NUMBER = struct.Struct("<I")


def percentile(values: list[int], percent: int) -> int:
    """The least of sorted values that so many per cent do not exceed."""
    return values[math.ceil(len(values) * percent / 100) - 1]


class Service:
    """Clients with a connection each, to a server process each: as many requests for every client.

    Args:
        clients: How many.
        requests: Of each client.
        pause_ms: Mean of a client's pauses, exponentially distributed.
        seed: Of documents, the order of requests and of pauses.
    """

    def __init__(self, clients: int, requests: int, pause_ms: float, seed: int) -> None:
        self._draw = random.Random(seed)
        self._documents = [zlib.compress(piece, 6) for piece in log_pieces(seed)]
        self._latencies = mmap.mmap(-1, clients * requests * _LATENCY.size)
        self._count = clients * requests
        servers: list[tuple[str, Callable[[], object]]] = []
        callers: list[tuple[str, Callable[[], object]]] = []
        for place in range(clients):
            here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            plan = self._plan(requests, pause_ms)
            servers.append((f"serve-{place}", partial(self._serve, there)))
            callers.append((f"client-{place}", partial(self._call, here, plan, place * requests)))
        self.servers = Crew(servers)
        self.clients = Crew(callers)

    def _plan(self, requests: int, pause_ms: float) -> list[tuple[float, int]]:
        """Pause in s and number of the document, of each request; the seed changes the order only."""
        pauses = [-pause_ms / 1e3 * math.log(1 - (place + 0.5) / requests) for place in range(requests)]
        documents = [place % len(self._documents) for place in range(requests)]
        self._draw.shuffle(pauses)
        self._draw.shuffle(documents)
        return list(zip(pauses, documents, strict=True))

    def _serve(self, connection: socket.socket) -> None:
        """Unpacks the document that is asked for, and answers with its checksum."""
        while asked := connection.recv(_NUMBER.size):
            document = zlib.decompress(self._documents[_NUMBER.unpack(asked)[0]])
            connection.sendall(hashlib.sha256(document).digest())

    def _call(self, connection: socket.socket, plan: list[tuple[float, int]], first: int) -> None:
        """Pauses, asks, waits for the answer, and so on."""
        for place, (pause_s, document) in enumerate(plan, first):
            time.sleep(pause_s)
            begin = time.monotonic_ns()
            connection.sendall(_NUMBER.pack(document))
            connection.recv(hashlib.sha256().digest_size)
            _LATENCY.pack_into(self._latencies, place * _LATENCY.size, time.monotonic_ns() - begin)

    def figures(self) -> dict[str, float]:
        """Percentiles over all requests.

        Raises:
            RuntimeError: Some requests have not been timed.
        """
        values = sorted(value for (value,) in _LATENCY.iter_unpack(self._latencies[: self._count * _LATENCY.size]))
        if not values[0]:
            raise RuntimeError("some requests have no latency")
        return {f"p{percent}_request_us": percentile(values, percent) / 1e3 for percent in (50, 99)}


def jobs(argument: argparse.Namespace) -> list[int]:
    """Pieces of each job of the first phase: the seed says which one is long."""
    pieces = [argument.pieces] * (argument.jobs - 1) + [argument.pieces * argument.ratio]
    random.Random(argument.seed).shuffle(pieces)
    return pieces


def measure(argument: argparse.Namespace) -> dict[str, float]:
    """One phase after the other; all processes are there, ready, before the first."""
    pieces = jobs(argument)
    service = Service(argument.clients, argument.requests, argument.pause_ms, argument.seed)
    names = [f"solve-{place}" for place in range(len(pieces))]
    packers = Packers([f"pack-{place}" for place in range(argument.workers)], argument.seed + 1)
    observe()
    with (
        service.servers as servers,
        service.clients as clients,
        packers,
        Packers(names, argument.seed, pieces) as solvers,
    ):
        servers.release()
        begin_s = time.monotonic()
        solvers.release()
        solvers.join()
        computed_s = time.monotonic()
        start = packers.progress()
        packers.release()
        clients.release()
        clients.join()
        served_s = time.monotonic()
        work_per_s = packers.pieces_per_s(start)
        servers.check()
        cpu_s = solvers.cpu_s()
    return {
        "compute_makespan_s": round(computed_s - begin_s, 6),
        "compute_bound_s": round(max(*cpu_s, sum(cpu_s) / argument.cpus), 6),
        **service.figures(),
        "requests_per_s": round(argument.clients * argument.requests / (served_s - computed_s), 3),
        "batch_work_per_s": work_per_s,
        "makespan_s": round(served_s - begin_s, 6),
    }


def main() -> None:
    """Reads the arguments, prints the metrics."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("seed", "cpus", "jobs", "ratio", "pieces", "clients", "requests", "workers"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--pause-ms", type=float, required=True)
    print(json.dumps(measure(parser.parse_args())))


if __name__ == "__main__":
    main()
