# SPDX-License-Identifier: Apache-2.0
"""Compresses log files, each by a gzip of its own; one file is far larger than the rest."""

import zlib

import batch

BLOCK = 1 << 16


def prepare(parts: list[batch.Part]) -> None:
    """Writes text of words, some frequent and most rare, which compresses as logs and prose do."""
    import random

    numbers = random.Random(parts[0].seed)
    words = [numbers.randbytes(numbers.randint(1, 5)).hex().encode() for _ in range(4096)]
    for part in parts:
        with open(part.path(".log"), "wb") as file:
            file.write(b" ".join(numbers.choices(words, k=part.amount // 4))[: part.amount])


def job(part: batch.Part) -> batch.Job:
    """``gzip -c <file>``; checked by the sum that gzip puts at the end."""

    def is_right(content: bytes) -> bool:
        with open(part.path(".log"), "rb") as file:
            return content[-8:-4] == zlib.crc32(file.read()).to_bytes(4, "little")

    return batch.Job(["gzip", "-c", part.name + ".log"], inputs=[part.path(".log")], check=is_right)


batch.main(prepare, job)
