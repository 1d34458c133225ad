"""Remember how long trials took on this host, to run the longest trials of the next suite first."""

import json
import logging
import os
from collections.abc import Mapping

from schedcp_gym.paths import cache_root
from schedcp_gym.spec import Trial

log = logging.getLogger(__name__)

FILE = "durations.json"


def key_of(trial: Trial) -> str:
    """Return the key of a trial's duration. Policies and seeds share a key, because they differ little."""
    return f"{trial.workload.name}/{trial.scale}/{trial.machine.clock}"


def read() -> dict[str, float]:
    """Return the known durations in host seconds, by key."""
    try:
        known = json.loads((cache_root() / FILE).read_text())
        return {str(name): float(spent) for name, spent in known.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        log.warning("cannot use %s (%s): trials run in an arbitrary order", cache_root() / FILE, error)
        return {}


def add(found: Mapping[str, float]) -> None:
    """Store durations. Those of a process that writes at the same time may be lost, which only affects the order."""
    if not found:
        return
    path = cache_root() / FILE
    part = path.with_name(f".{FILE}.{os.getpid()}.{os.urandom(4).hex()}")
    part.write_text(json.dumps({**read(), **{name: round(spent, 2) for name, spent in found.items()}}, indent=1))
    part.rename(path)


def longest_first(trials: list[Trial], known: Mapping[str, float]) -> list[Trial]:
    """Return the trials in an order that keeps all CPUs busy to the end: unknown durations first, then the longest."""

    def rank(trial: Trial) -> tuple[float, float]:
        return -known.get(key_of(trial), float("inf")), -trial.max_job_s

    return sorted(trials, key=rank)
