"""Who measures a trial that several want at the same moment: one, while the others wait."""

import errno
import fcntl
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

#: Seconds between two looks at a claim somebody else holds: the first, and the longest.
FIRST_LOOK_S, LONGEST_LOOK_S = 0.01, 0.2
#: Of struct flock: type, whence, start, length, process.
_FLOCK = struct.Struct("@hhqqi0q")


class Claim:
    """The right to measure one trial, among all threads and processes of a host.

    It is a lock of the kernel's on one byte of a file, whose place follows from the trial's key: when its holder
    dies, by whatever death, the kernel gives it back at once, and nothing is left to clean up.
    """

    def __init__(self, file: Path, key: str) -> None:
        """Names the claim; it is not held yet."""
        self._file = file
        self._start = int(key[:15], 16)
        self._fd: int | None = None

    def take(self) -> bool:
        """Takes the claim if nobody holds it; says whether it is held now."""
        if self._fd is None:
            try:
                fd = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except OSError:  # no space, no rights: better measured twice than not at all
                return True
            try:
                # Of the open file, not of the process: it counts between threads too.
                fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, self._start, 1, 0))
            except OSError as error:
                os.close(fd)
                return error.errno not in (errno.EACCES, errno.EAGAIN)
            self._fd = fd
        return True

    def wait(self, unless: Callable[[], bool]) -> bool:
        """Waits until the claim is free and takes it.

        Args:
            unless: Asked again and again; the wait ends when it is true.

        Returns:
            Whether it is held now.
        """
        pause_s = FIRST_LOOK_S
        while not self.take():
            if unless():
                return False
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_LOOK_S)
        return True

    def release(self) -> None:
        """Gives it back."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> "Claim":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
