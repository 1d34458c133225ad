"""Lock a run's folder: it belongs to one run, and one process at a time can use it."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock
import yaml

from schedcp_gym.files import write_whole
from schedcp_gym.run.folder import CONFIG, RECORD
from schedcp_gym.spec import BadInput

#: Settings that may change when a run is resumed. They do not change which trials are measured or prompts are sent.
MAY_CHANGE = (
    "budget",
    "heldout",
    "workers",
    "cache",
    "ray",
    "run",
    # The connection to a language model.
    *(f"llm.{name}" for name in ("api_base", "api_key_env", "timeout_s", "retries", "prices")),
    *(f"llm.{name}" for name in ("backoff_s", "backoff_max_s", "retry_after_max_s")),
)


@contextlib.contextmanager
def locked(folder: Path, config: Mapping[str, Any], *, plans_with_budget: bool = False) -> Iterator[None]:
    """Lock a run's folder, and write ``config.yaml``, or check that the folder has the same run.

    Args:
        folder: The run's folder.
        config: The whole configuration.
        plans_with_budget: Whether the agent's actions depend on the rest of the budget, as with a language model that
            sees it. Then the budget must not change when the run is resumed.

    Raises:
        BadInput: The folder has another run, or another process is using it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise BadInput(f"another process is using {folder}; wait for it, or use another run.dir") from None
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
            f"{path.parent} has a run with {key}={before.get(key)}, not {now.get(key)}; "
            "use the same settings to resume it, or another run.dir"
        )


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a configuration's values by their keys; keys of inner mappings are joined with dots."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found
