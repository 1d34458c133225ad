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
#: What the verifier runs in the guest; compiled into the image.
BATTERY = PACKAGE / "control" / "verifier" / "behaviour" / "battery"


def cache_root() -> Path:
    """``$SCHEDCP_CACHE``, else ``$XDG_CACHE_HOME/schedcp_gym`` (``~/.cache/schedcp_gym``); made when missing."""
    root = Path(os.environ.get("SCHEDCP_CACHE") or platformdirs.user_cache_dir("schedcp_gym"))
    root.mkdir(parents=True, exist_ok=True)
    return root
