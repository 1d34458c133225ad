# SPDX-License-Identifier: Apache-2.0
"""Backups, each verified against its list of SHA-256 sums by a sha256sum of its own. The amount: files of 64 KiB."""

import os

import batch

FILE_BYTES = 64 << 10
CONTENTS = 32


def prepare(parts: list[batch.Part]) -> None:
    """Makes the backups: files of few contents, as hard links, which take no memory; to verify them costs the same."""
    import hashlib
    import random

    numbers = random.Random(parts[0].seed)
    store = os.path.join(parts[0].folder, "store")
    os.mkdir(store)
    sums = []
    for i in range(CONTENTS):
        content = numbers.randbytes(FILE_BYTES)
        sums.append(hashlib.sha256(content).hexdigest())
        with open(f"{store}/{i}", "wb") as file:
            file.write(content)
    for part in parts:
        os.mkdir(part.path())
        with open(part.path(".sha256"), "w") as listing:
            for i in range(part.amount):
                content_number = numbers.randrange(CONTENTS)
                os.link(f"{store}/{content_number}", f"{part.path()}/{i:05}")
                listing.write(f"{sums[content_number]}  {part.name}/{i:05}\n")


def job(part: batch.Part) -> batch.Job:
    """``sha256sum`` says ``<file>: OK`` for each file, and fails when one is not."""

    def is_right(content: bytes) -> bool:
        return content.count(b": OK\n") == part.amount

    command = ["sha256sum", "--check", "--strict", part.name + ".sha256"]
    return batch.Job(command, inputs=[part.path()], check=is_right)


batch.main(prepare, job)
