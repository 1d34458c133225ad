"""A run's folder belongs to one run, and to one process at a time."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock
import yaml

from schedcp_gym.files import write_whole
from schedcp_gym.run.folder import CONFIG, RECORD
from schedcp_gym.spec import BadInput

#: Settings that may differ when a run goes on in its folder: they don't change what is measured, or asked, first.
MAY_CHANGE = (
    "budget",
    "heldout",
    "workers",
    "cache",
    "ray",
    "run",
    # How a model is reached, not what it is asked.
    *(f"llm.{name}" for name in ("api_base", "api_key_env", "timeout_s", "retries", "prices")),
    *(f"llm.{name}" for name in ("backoff_s", "backoff_max_s", "retry_after_max_s")),
)


@contextlib.contextmanager
def claimed(folder: Path, config: Mapping[str, Any], *, plans_with_budget: bool = False) -> Iterator[None]:
    """Claims a run's folder: writes ``config.yaml``, or checks that it holds the same run.

    Args:
        folder: The run's.
        config: The whole configuration.
        plans_with_budget: What the agent does depends on what is left, as with a model that is told: then the budget
            can't be another when the run goes on.

    Raises:
        BadInput: The folder belongs to another run, or one is under way in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise BadInput(f"a run is under way in {folder}; wait for it, or use another run.dir") from None
    try:
        path = folder / CONFIG
        if path.exists():
            _check_same(path, config, [name for name in MAY_CHANGE if not (plans_with_budget and name == "budget")])
        elif (folder / RECORD).exists():
            raise BadInput(f"{folder} has a record but no {CONFIG}; use another run.dir")
        write_whole(path, yaml.safe_dump(dict(config), sort_keys=False))
        yield
    finally:
        lock.release()


def _check_same(path: Path, config: Mapping[str, Any], may_change: list[str]) -> None:
    try:
        before = flat(yaml.safe_load(path.read_text()))
    except (yaml.YAMLError, AttributeError):
        raise BadInput(f"{path} is damaged; use another run.dir") from None
    now = flat(config)
    for key in sorted(before.keys() | now.keys()):
        if any(f"{key}.".startswith(f"{name}.") for name in may_change) or before.get(key) == now.get(key):
            continue
        raise BadInput(
            f"{path.parent} holds a run with {key}={before.get(key)}, not {now.get(key)}; "
            "give the same settings to go on with it, or another run.dir"
        )


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A configuration's values by their keys, with dots between those of inner mappings."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found
