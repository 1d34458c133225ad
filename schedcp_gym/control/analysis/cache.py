"""The store of analyses. Its keys cover everything that an answer depends on."""

import functools

from schedcp_gym.control.analysis.report import Analysis
from schedcp_gym.lab.compiler import find_clang
from schedcp_gym.lab.json_store import JsonStore
from schedcp_gym.machine.image.inputs import file_digest, folder_digest
from schedcp_gym.paths import PACKAGE, POLICIES, cache_root
from schedcp_gym.spec.digest import digest

ANALYSES = JsonStore(Analysis, lambda: cache_root() / "analyses", version=1)


@functools.cache
def engine_version() -> str:
    """Return the digest of all code that makes an analysis: this package, the tracer, the headers, the compiler."""
    folders = (PACKAGE / "control" / "analysis", POLICIES / "tracer", POLICIES / "include")
    counter = file_digest(PACKAGE / "llm" / "tokens.py")
    return digest([ANALYSES.version, [folder_digest(folder) for folder in folders], counter, find_clang().version])
