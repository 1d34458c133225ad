# SPDX-License-Identifier: Apache-2.0
"""Rotated logs, each compressed by a gzip of its own. The amount: bytes."""

import zlib

import batch

POOL, PIECE = 256 << 10, 64 << 10


def prepare(parts: list[batch.Part]) -> None:
    """Writes text of 4096 words, pieced together from a pool: gzip looks back 32 KiB, so it sees nothing twice."""
    import random

    numbers = random.Random(parts[0].seed)
    words = [numbers.randbytes(1 + i % 5).hex().encode() for i in range(4096)]
    pool = b" ".join(numbers.choices(words, k=POOL // 6))[: POOL - PIECE]
    for part in parts:
        with open(part.path(".log"), "wb") as file:
            for written in range(0, part.amount, PIECE):
                begin = numbers.randrange(len(pool) - PIECE)
                file.write(pool[begin : begin + min(PIECE, part.amount - written)])


def job(part: batch.Part) -> batch.Job:
    """What ``gzip`` writes ends with the sum of what it has read."""

    def is_right(content: bytes) -> bool:
        with open(part.path(".log"), "rb") as file:
            return content[-8:-4] == zlib.crc32(file.read()).to_bytes(4, "little")

    return batch.Job(["gzip", "-c", part.name + ".log"], inputs=[part.path(".log")], check=is_right)


batch.main(prepare, job)
