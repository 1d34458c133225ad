# SPDX-License-Identifier: Apache-2.0
"""Uploaded clips (Y4M), each encoded to VP8 by a vpxenc of its own. The amount: frames."""

from collections.abc import Callable

import batch

WIDTH, HEIGHT = 160, 96
ROOM = 96  # lines the camera can pan over, up and down


def prepare(parts: list[batch.Part]) -> None:
    """Films: a camera pans over a picture; a frame is one piece of it, so a frame is quickly made."""
    import random

    numbers = random.Random(parts[0].seed)
    luma = picture(numbers.randbytes, WIDTH, HEIGHT + ROOM)
    chroma = picture(numbers.randbytes, WIDTH // 2, (HEIGHT + ROOM) // 2)
    for part in parts:
        with open(part.path(".y4m"), "wb") as file:
            file.write(b"YUV4MPEG2 W%d H%d F25:1 Ip A1:1 C420\n" % (WIDTH, HEIGHT))
            start = numbers.randrange(2 * ROOM)
            for i in range(part.amount):
                line = abs((start + 2 * i) % (2 * ROOM) - ROOM) & ~1
                half = WIDTH // 2 * (line // 2)
                colour = chroma[half : half + WIDTH * HEIGHT // 4]
                file.write(b"FRAME\n" + luma[WIDTH * line : WIDTH * (line + HEIGHT)] + colour + colour)


def picture(randbytes: Callable[[int], bytes], width: int, height: int) -> bytes:
    """Blocks of 4 by 4 with some grain: something to predict, and something that can't be."""
    lines = bytearray()
    for line in range(height):
        if line % 4 == 0:
            blocks = bytes(value for block in randbytes(width // 4) for value in [32 + block // 2] * 4)
        grain = randbytes(width)
        lines += bytes(value + (noise & 15) for value, noise in zip(blocks, grain, strict=True))
    return bytes(lines)


def job(part: batch.Part) -> batch.Job:
    """The head of what vpxenc writes (IVF) has the number of frames."""

    def is_whole(content: bytes) -> bool:
        return content[:4] == b"DKIF" and int.from_bytes(content[24:28], "little") == part.amount

    source, target = part.name + ".y4m", part.path(".ivf")
    options = ["--codec=vp8", "--good", "--cpu-used=2", "--passes=1", "--threads=1", "--target-bitrate=200", "--quiet"]
    command = ["vpxenc", *options, "--ivf", f"--output={part.name}.ivf", source]
    return batch.Job(command, inputs=[part.path(".y4m")], output=target, check=is_whole)


batch.main(prepare, job)
