# SPDX-License-Identifier: Apache-2.0
"""Writes large files of text records at little cost: runs of records from a small pool made beforehand."""

import random
from collections.abc import Callable

#: Records that are taken from the pool at once.
RUN = 500


def write(
    path: str, pool: list[bytes], count: int, numbers: random.Random, mark: Callable[[float], bytes] = lambda _: b"@"
) -> None:
    """Writes so many records, in runs that each begin at a random place in the pool.

    Args:
        path: The file.
        pool: Lines, their ends included.
        count: How many are written.
        numbers: Where the runs begin.
        mark: What stands in place of each ``@`` of a run, by how much of the file is before it (from 0 to 1).
    """
    with open(path, "wb") as file:
        for done in range(0, count, RUN):
            size = min(RUN, count - done)
            begin = numbers.randrange(len(pool) - size + 1)
            file.write(b"".join(pool[begin : begin + size]).replace(b"@", mark(done / count)))
