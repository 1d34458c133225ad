"""Who measures a trial that several want at the same moment: one, while the others wait."""

import time
from collections.abc import Callable
from pathlib import Path

import filelock

#: Seconds between two looks at a claim that somebody else holds: the first, and the longest.
FIRST_LOOK_S, LONGEST_LOOK_S = 0.01, 0.2
#: Hex digits of the key that name the lock's file. Trials that share a file wait for each other, one pair in 4096.
LETTERS = 3


class Claim:
    """The right to measure one trial, among all threads and processes of a host.

    The kernel holds the lock: when its holder dies, however it dies, the lock is free at once.
    """

    def __init__(self, folder: Path, key: str) -> None:
        """Name the claim; it is not held yet."""
        self._lock = filelock.FileLock(folder / f"{key[:LETTERS]}.lock", timeout=0, thread_local=False)

    def take(self) -> bool:
        """Take the claim if nobody holds it; return whether it is held now."""
        try:
            if not self._lock.is_locked:
                self._lock.acquire()
        except filelock.Timeout:
            return False
        except OSError:  # no space, no rights: it is better to measure twice than not at all
            pass
        return True

    def wait(self, unless: Callable[[], bool]) -> bool:
        """Wait until the claim is free and take it.

        Args:
            unless: Asked again and again; the wait ends when it is true.

        Returns:
            Whether the claim is held now.
        """
        pause_s = FIRST_LOOK_S
        while not self.take():
            if unless():
                return False
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_LOOK_S)
        return True

    def release(self) -> None:
        """Give the claim back."""
        self._lock.release(force=True)

    def __enter__(self) -> "Claim":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
