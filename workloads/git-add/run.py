# SPDX-License-Identifier: Apache-2.0
"""Trees of source files, each taken into a new repository by a git add of its own. The amount: files of 4 KiB."""

import os

import batch

FILE_BYTES = 4 << 10
POOL = 256 << 10
FILES_IN_FOLDER = 25


def prepare(parts: list[batch.Part]) -> None:
    """Makes trees of text files, no two alike, and an empty repository in each."""
    import random

    numbers = random.Random(parts[0].seed)
    words = [numbers.randbytes(1 + i % 5).hex().encode() for i in range(4096)]
    pool = b" ".join(numbers.choices(words, k=POOL // 6))[: POOL - FILE_BYTES]
    for part in parts:
        make_repository(part.path())
        for i in range(part.amount):
            folder = f"{part.path()}/part{i // FILES_IN_FOLDER:03}"
            if i % FILES_IN_FOLDER == 0:
                os.mkdir(folder)
            begin = numbers.randrange(len(pool) - FILE_BYTES)
            with open(f"{folder}/{i:05}.txt", "wb") as file:
                file.write(b"%s %05d\n" % (part.name.encode(), i))
                file.write(pool[begin : begin + FILE_BYTES - 24])


def make_repository(tree: str) -> None:
    """What git takes for a repository; ``git init`` for each would take longer than the rest of the set-up."""
    for name in ("", "/.git", "/.git/objects", "/.git/refs"):
        os.mkdir(tree + name)
    with open(f"{tree}/.git/HEAD", "w") as file:
        file.write("ref: refs/heads/main\n")


def job(part: batch.Part) -> batch.Job:
    """The head of the index that git writes has the number of files; and each file has become an object."""

    def is_whole(content: bytes) -> bool:
        objects = sum(len(files) for _, _, files in os.walk(f"{part.path()}/.git/objects"))
        return content[:4] == b"DIRC" and int.from_bytes(content[8:12], "big") == part.amount == objects

    index = part.path("/.git/index")
    return batch.Job(["git", "add", "--all"], inputs=[part.path()], folder=part.path(), output=index, check=is_whole)


batch.main(prepare, job)
