"""How long trials took on this host: what is known of it orders the next suite, longest first."""

import json
import logging
import os
from collections.abc import Mapping

from schedcp_gym.paths import cache_root
from schedcp_gym.spec import Trial

log = logging.getLogger(__name__)

FILE = "durations.json"


def key_of(trial: Trial) -> str:
    """What a duration is kept under: policies and seeds differ little."""
    return f"{trial.workload.name}/{trial.scale}/{trial.machine.clock}"


def read() -> dict[str, float]:
    """Host seconds by key; empty where nothing is known."""
    try:
        known = json.loads((cache_root() / FILE).read_text())
        return {str(name): float(spent) for name, spent in known.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        log.warning("%s can't be used (%s): the order of trials is a guess", cache_root() / FILE, error)
        return {}


def add(found: Mapping[str, float]) -> None:
    """Keeps what trials took; another process's may be lost, which costs nothing but order."""
    if not found:
        return
    path = cache_root() / FILE
    part = path.with_name(f".{FILE}.{os.getpid()}.{os.urandom(4).hex()}")
    part.write_text(json.dumps({**read(), **{name: round(spent, 2) for name, spent in found.items()}}, indent=1))
    part.rename(path)


def longest_first(trials: list[Trial], known: Mapping[str, float]) -> list[Trial]:
    """The order in which few CPUs end together: what is not known first, it may be the longest of all."""

    def rank(trial: Trial) -> tuple[float, float]:
        return -known.get(key_of(trial), float("inf")), -trial.max_job_s

    return sorted(trials, key=rank)
