# SPDX-License-Identifier: Apache-2.0
"""A batch job: processes that pack log files, as a nightly archive job does, and count what they have done.

A unit of work is a piece of a log, 8 KiB of text, compressed with DEFLATE (level 6) and checksummed with SHA-256.
A process uses CPU only, without sleeping. Each counts its pieces in memory that it shares with who started it, so
that progress can be read at any time without a system call of theirs.
"""

import hashlib
import mmap
import random
import struct
import time
import zlib
from functools import partial

from crew import Crew

PIECE_BYTES = 8192
#: Different pieces that there are; each process packs them in turn, and begins at another.
PIECES = 8
#: What a process tells: pieces done, and the CPU time in ns it had used when it ended.
_SLOT = struct.Struct("<QQ")
_WORDS = (b"index", b"search", b"cart", b"login", b"static", b"image", b"report", b"agent")


class Packers(Crew):
    """Processes that pack.

    Args:
        names: A process name each.
        seed: Of the log's text.
        pieces: How many pieces each has to do; None: all go on until they are ended.
    """

    def __init__(self, names: list[str], seed: int, pieces: list[int] | None = None) -> None:
        self._memory = mmap.mmap(-1, len(names) * _SLOT.size)
        self._log = log_pieces(seed)
        limits = pieces or [0] * len(names)
        super().__init__([(name, partial(self._pack, place, limits[place])) for place, name in enumerate(names)])

    def _pack(self, place: int, limit: int) -> None:
        done = 0
        while done < limit or not limit:
            packed = zlib.compress(self._log[(done + place) % PIECES], 6)
            hashlib.sha256(packed).digest()
            done += 1
            _SLOT.pack_into(self._memory, place * _SLOT.size, done, 0)
        _SLOT.pack_into(self._memory, place * _SLOT.size, done, time.process_time_ns())

    def progress(self) -> tuple[float, int]:
        """The moment, in seconds of the monotonic clock, and the pieces done by then."""
        done = sum(_SLOT.unpack_from(self._memory, place * _SLOT.size)[0] for place in range(len(self.names)))
        return time.monotonic(), done

    def cpu_s(self) -> list[float]:
        """The CPU time of each process that has done all its pieces."""
        return [_SLOT.unpack_from(self._memory, place * _SLOT.size)[1] / 1e9 for place in range(len(self.names))]

    def pieces_per_s(self, begin: tuple[float, int]) -> float:
        """Pieces per second since a moment that ``progress`` gave.

        Raises:
            RuntimeError: A process is gone, so the figure would be of fewer than there should have been.
        """
        end = self.progress()
        self.check()
        return round((end[1] - begin[1]) / (end[0] - begin[0]), 3)


def log_pieces(seed: int) -> list[bytes]:
    """Pieces of a web server's log; their size, and the kind of text, is the same for every seed."""
    draw = random.Random(seed)
    pieces = []
    for _ in range(PIECES):
        text = bytearray()
        while len(text) < PIECE_BYTES:
            bits = draw.getrandbits(48)
            text += b"10.0.%d.%d " % (bits & 15, (bits >> 4) & 255)
            text += b"GET /%s/%d 200 %d\n" % (_WORDS[(bits >> 12) & 7], (bits >> 15) & 1023, bits >> 32)
        pieces.append(bytes(text[:PIECE_BYTES]))
    return pieces
