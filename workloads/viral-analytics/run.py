# SPDX-License-Identifier: Apache-2.0
"""Products' events, each reported on by an sqlite3 of its own. The amount: events."""

import os

import batch

HERE = os.path.dirname(os.path.abspath(__file__))


def prepare(parts: list[batch.Part]) -> None:
    """Makes a database for each product."""
    import sqlite3

    with open(os.path.join(HERE, "events.sql")) as file:
        fill = file.read()
    for part in parts:
        database = sqlite3.connect(part.path(".db"))
        database.execute("PRAGMA journal_mode = off")
        database.execute("CREATE TABLE events (at INTEGER, visitor INTEGER, action INTEGER, cents INTEGER)")
        database.execute(fill, {"events": part.amount, "seed": part.seed & 0x7FFFFFFF})
        database.commit()
        database.close()


def job(part: batch.Part) -> batch.Job:
    """Each event must have been counted."""

    def is_right(content: bytes) -> bool:
        return content.splitlines()[-1] == b"total|%d" % part.amount

    return batch.Job(
        ["sqlite3", "-readonly", "-init", "/dev/null", part.name + ".db"],
        stdin=os.path.join(HERE, "report.sql"),
        inputs=[part.path(".db")],
        check=is_right,
    )


batch.main(prepare, job)
