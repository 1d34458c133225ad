# SPDX-License-Identifier: Apache-2.0
"""Partitions of records, each aggregated by key by a mawk of its own. The amount: records."""

import os
from collections.abc import Callable

import batch

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "aggregate.awk")
KEYS = 200
POOL_RECORDS = 4000
#: Times that the hot key comes for each time that another of its partition does.
HOT = 30


def prepare(parts: list[batch.Part]) -> None:
    """Writes the partitions: keys by Zipf's law, and in the largest one a key that outweighs all others."""
    import random

    import records

    numbers = random.Random(parts[0].seed)
    zipf = [1 / rank for rank in range(1, KEYS + 1)]
    hot = [HOT * sum(zipf), *zipf[1:]]
    pools = []
    for weights in (zipf, hot):
        keys = numbers.choices(range(KEYS), weights, k=POOL_RECORDS)
        values = numbers.choices(range(100, 1000), k=POOL_RECORDS)
        pools.append([b"user-@%03d %d\n" % pair for pair in zip(keys, values, strict=True)])
    largest = max(part.amount for part in parts)
    for i, part in enumerate(parts):
        pool = pools[part.amount == largest]
        records.write(part.path(".records"), pool, part.amount, numbers, _always(b"%02d" % i))


def _always(text: bytes) -> Callable[[float], bytes]:
    return lambda _: text


def job(part: batch.Part) -> batch.Job:
    """Each record must have been counted."""

    def is_right(content: bytes) -> bool:
        *groups, total = content.splitlines()
        return total == b"total %d" % part.amount == b"total %d" % sum(int(group.split()[1]) for group in groups)

    file = part.name + ".records"
    return batch.Job(["mawk", "-f", PROGRAM, file], inputs=[part.path(".records")], check=is_right)


batch.main(prepare, job)
