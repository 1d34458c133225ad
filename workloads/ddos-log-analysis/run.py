# SPDX-License-Identifier: Apache-2.0
"""Access logs of web servers, each searched for attackers by a mawk of its own. The amount: requests."""

import os
import random

import batch
import records

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "suspects.awk")
PATHS = 60
POOL_REQUESTS = 4000
VISITORS, ATTACKERS = 1200, 80
#: Requests of attackers for each one of a visitor, at the server that is under attack.
FLOOD = 30
HOURS = 10


def prepare(parts: list[batch.Part]) -> None:
    """Writes the logs: visitors everywhere; at the server with the most requests nearly all come from attackers."""
    numbers = random.Random(parts[0].seed)
    flood = _requests(numbers, ATTACKERS, b"POST /search?q=%d", (b"503", b"503", b"200"))
    calm = _requests(numbers, VISITORS, b"GET /item/%d", (b"200", b"200", b"200", b"304", b"404"))
    mixed = [*flood, *calm[: POOL_REQUESTS // FLOOD]]
    numbers.shuffle(mixed)
    most = max(part.amount for part in parts)
    for part in parts:
        records.write(part.path(".log"), mixed if part.amount == most else calm, part.amount, numbers, _minute)


def _requests(numbers: random.Random, addresses: int, request: bytes, statuses: tuple[bytes, ...]) -> list[bytes]:
    """A pool of lines; the hour and minute are still ``@``."""
    froms = [b"%d.%d.%d.%d" % tuple(numbers.randbytes(4)) for _ in range(addresses)]
    asked = [request % numbers.randrange(1000) for _ in range(PATHS)]
    rows = zip(
        numbers.choices(froms, k=POOL_REQUESTS),
        numbers.choices(range(60), k=POOL_REQUESTS),
        numbers.choices(asked, k=POOL_REQUESTS),
        numbers.choices(statuses, k=POOL_REQUESTS),
        numbers.choices(range(100, 10000), k=POOL_REQUESTS),
        strict=True,
    )
    return [b'%b - - [05/Jan/2026:@:%02d +0000] "%b HTTP/1.1" %b %d\n' % row for row in rows]


def _minute(share: float) -> bytes:
    """The time of day after a share of the log."""
    return b"%02d:%02d" % divmod(int(share * HOURS * 60), 60)


def job(part: batch.Part) -> batch.Job:
    """Each request must have been counted."""

    def is_right(content: bytes) -> bool:
        return content.splitlines()[-1] == b"total %d" % part.amount

    command = ["mawk", "-v", "limit=20", "-f", PROGRAM, part.name + ".log"]
    return batch.Job(command, inputs=[part.path(".log")], check=is_right)


batch.main(prepare, job)
