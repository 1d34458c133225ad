# SPDX-License-Identifier: Apache-2.0
"""Starts a server, waits until it answers, and ends it."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

#: A server that has not answered by then never will.
START_S = 20.0
_RETRY_S = 0.005


@contextlib.contextmanager
def server(command: list[str], address: str | tuple[str, int], request: bytes, log: Path) -> Iterator[None]:
    """A server that runs as long as the context does.

    Args:
        command: Keeps it in the foreground.
        address: Of its socket: a path, or host and port.
        request: Is sent until something comes back.
        log: Gets what it prints.

    Raises:
        RuntimeError: It ended, or gave no answer in time.
    """
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            deadline = time.monotonic() + START_S
            while not _answers(address, request):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{command[0]} does not answer: {log.read_text()[-300:]}")
                time.sleep(_RETRY_S)
            yield
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended with {process.returncode}: {log.read_text()[-300:]}")
        finally:
            process.terminate()


def _answers(address: str | tuple[str, int], request: bytes) -> bool:
    """Whether the server takes a connection and says something; it may take its time to say it."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(START_S)
        try:
            connection.connect(address)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        connection.sendall(request)
        return bool(connection.recv(1))
