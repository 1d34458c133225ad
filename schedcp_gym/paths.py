"""Where things are: the package's own folders, and the cache."""

import os
from pathlib import Path

import platformdirs

PACKAGE = Path(__file__).resolve().parent
POLICIES = PACKAGE / "bpf"
WORKLOADS = PACKAGE / "workloads"
#: What several workloads use; no workload itself.
SHARED = WORKLOADS / "shared"
CONFIGS = PACKAGE / "configs"
MACHINES = CONFIGS / "machine"
#: What the verifier runs in the guest; compiled into the image.
BATTERY = PACKAGE / "control" / "verifier" / "behaviour" / "battery"
#: Its cases for machines with a topology: compiled beside the image, and sent with jobs.
TOPOLOGY_BATTERY = BATTERY.with_name("topology")


#: How the name of a variant's declaration ends.
VARIANT = ".variant.yaml"
#: How the name of a table of recorded measurements ends.
TABLE = ".parquet"


def workload_declarations(folder: Path = WORKLOADS) -> dict[str, Path]:
    """The file that declares each workload, or each variant of one, by name: looks at names of files only."""
    found = {path.parent.name: path for path in folder.glob("*/workload.yaml")}
    for path in folder.glob(f"*/*{VARIANT}"):
        if path.parent.name in found:
            found[f"{path.parent.name}-{path.name.removesuffix(VARIANT)}"] = path
    return found


def tables_folder() -> Path:
    """Where recorded tables are: ``$SCHEDCP_TABLES``, else those that are shipped (``results/tables``)."""
    return Path(os.environ.get("SCHEDCP_TABLES") or PACKAGE / "tables")


def table_path(workload: str) -> Path:
    """Where a workload's table is, or would be."""
    return tables_folder().resolve() / f"{workload}{TABLE}"


def table_files() -> dict[str, Path]:
    """The file of each workload's table, by workload: looks at names of files only."""
    return {path.name.removesuffix(TABLE): path for path in sorted(tables_folder().glob(f"[!.]*{TABLE}"))}


def cache_root() -> Path:
    """``$SCHEDCP_CACHE``, else ``$XDG_CACHE_HOME/schedcp_gym`` (``~/.cache/schedcp_gym``); made when missing."""
    root = Path(os.environ.get("SCHEDCP_CACHE") or platformdirs.user_cache_dir("schedcp_gym"))
    root.mkdir(parents=True, exist_ok=True)
    return root
