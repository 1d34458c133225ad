"""The connection to Ray. A cluster of our own ends with this process and leaves no files."""

import atexit
import contextlib
import fcntl
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO, Any

from schedcp_gym.paths import cache_root
from schedcp_gym.spec import MissingTool, SchedcpError

#: The address that stands for this machine, on a Ray of our own.
LOCAL = "local"
#: Ray puts sockets into its folder, under names of this length; a socket's path has 107 characters at most.
SOCKET_NAMES, SOCKET_LIMIT = 72, 107

_folder: Path | None = None
_lock: IO[bytes] | None = None


def connect(address: str) -> Any:
    """Connect to a cluster, or begin one on this machine; return the module ``ray``.

    Args:
        address: ``local``, ``auto`` or a cluster's ``host:port``.

    Raises:
        MissingTool: Ray is not installed.
        SchedcpError: There is no cluster at that address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # says nothing about GPUs
    try:
        import ray
    except ImportError:
        raise MissingTool("Ray is not installed: pip install 'schedcp_gym[ray]'") from None
    if ray.is_initialized():
        return ray
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        if address == LOCAL:
            os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's own is 15: behind all else on the host
            ray.init(
                address=LOCAL,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _temp_dir=str(_new_folder()),
            )
        else:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # noqa: BLE001  Ray raises nothing better for a node that does not come up
        _remove_folder()
        reason = str(error).strip().split("\n")[0]
        raise SchedcpError(
            f"no Ray cluster at {address} ({reason}): start one with `ray start --head`, or use ray.address={LOCAL}"
        ) from None
    atexit.register(disconnect)
    # Ray prints its nodes' messages on standard output, where results belong; we log faults ourselves.
    ray._private.worker.print_to_stdstream = _quiet
    return ray


def _quiet(*_: object, **__: object) -> None:
    """Print nothing."""


def disconnect() -> None:
    """Leave the cluster; one of our own ends, and its folder is deleted."""
    import ray

    atexit.unregister(disconnect)
    if ray.is_initialized():
        ray.shutdown()
    _remove_folder()


def _new_folder() -> Path:
    """Make a folder for a Ray of our own; delete those of processes that were killed."""
    global _folder, _lock  # noqa: PLW0603  one Ray to a process, as Ray has it
    roots = [cache_root() / "ray", Path(tempfile.gettempdir()) / "schedcp", Path("/tmp/schedcp")]
    root = next((one for one in roots if len(str(one)) + SOCKET_NAMES <= SOCKET_LIMIT), roots[-1])
    root.mkdir(parents=True, exist_ok=True)
    for left in root.iterdir():
        with contextlib.suppress(OSError), (left / "lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
    _folder = Path(tempfile.mkdtemp(prefix="", dir=root))
    _lock = (_folder / "lock").open("wb")
    fcntl.flock(_lock, fcntl.LOCK_EX)
    return _folder


def _remove_folder() -> None:
    global _folder, _lock  # noqa: PLW0603
    if _folder is not None and _lock is not None:
        shutil.rmtree(_folder, ignore_errors=True)
        _lock.close()
        with contextlib.suppress(OSError):
            _folder.parent.rmdir()
        _folder = _lock = None
