"""Analyses kept by content: the same question about the same trial is answered at no cost the second time."""

import functools

from schedcp_gym.control.analysis.report import Analysis
from schedcp_gym.lab.store import Store
from schedcp_gym.machine.image.inputs import folder_digest
from schedcp_gym.paths import PACKAGE, POLICIES, cache_root
from schedcp_gym.spec.digest import digest

ANALYSES = Store(Analysis, lambda: cache_root() / "analyses", version=1)


@functools.cache
def engine_version() -> str:
    """Digest of all that makes an analysis of a run: this package, and the tracer."""
    return digest(
        [ANALYSES.version, folder_digest(PACKAGE / "control" / "analysis"), folder_digest(POLICIES / "tracer")]
    )
