"""Paths of the package's folders and of the cache."""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
POLICIES = PACKAGE / "bpf"
WORKLOADS = PACKAGE / "workloads"
#: Code that several workloads share; this folder is not a workload.
SHARED = WORKLOADS / "shared"
CONFIGS = PACKAGE / "configs"
MACHINES = CONFIGS / "machine"
#: Programs that the verifier runs in the guest. They are compiled into the image.
BATTERY = PACKAGE / "control" / "verifier" / "behaviour" / "battery"
#: The verifier's cases for machines with a topology. They are compiled outside the image and sent with each job.
TOPOLOGY_BATTERY = BATTERY.with_name("topology")


#: Suffix of the file that declares a variant of a workload.
VARIANT = ".variant.yaml"
#: Suffix of a table of recorded measurements.
TABLE = ".parquet"


def workload_declarations(folder: Path = WORKLOADS) -> dict[str, Path]:
    """Return the file that declares each workload or variant, by name. No file is opened."""
    found = {path.parent.name: path for path in folder.glob("*/workload.yaml")}
    for path in folder.glob(f"*/*{VARIANT}"):
        if path.parent.name in found:
            found[f"{path.parent.name}-{path.name.removesuffix(VARIANT)}"] = path
    return found


def tables_folder() -> Path:
    """Return the folder of recorded tables: ``$SCHEDCP_TABLES``, or by default ``results/tables``."""
    return Path(os.environ.get("SCHEDCP_TABLES") or PACKAGE / "tables")


def table_path(workload: str) -> Path:
    """Return the path of a workload's table, which need not exist."""
    return tables_folder().resolve() / f"{workload}{TABLE}"


def table_files() -> dict[str, Path]:
    """Return the file of each recorded table, by workload. No file is opened."""
    return {path.name.removesuffix(TABLE): path for path in sorted(tables_folder().glob(f"[!.]*{TABLE}"))}


def cache_root() -> Path:
    """Return the folder of the cache, and create it if it is missing.

    It is ``$SCHEDCP_CACHE``, or by default ``$XDG_CACHE_HOME/schedcp_gym`` (``~/.cache/schedcp_gym``).
    """
    root = _folder("SCHEDCP_CACHE", "XDG_CACHE_HOME", ".cache")
    root.mkdir(parents=True, exist_ok=True)
    return root


def state_root() -> Path:
    """Return the folder of keys and audit logs; it need not exist.

    It is ``$SCHEDCP_STATE``, or by default ``$XDG_STATE_HOME/schedcp_gym`` (``~/.local/state/schedcp_gym``).
    """
    return _folder("SCHEDCP_STATE", "XDG_STATE_HOME", ".local/state")


def _folder(ours: str, everyones: str, default: str) -> Path:
    if own := os.environ.get(ours):
        return Path(own)
    return Path(os.environ.get(everyones) or Path.home() / default) / "schedcp_gym"
