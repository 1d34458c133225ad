"""What goes when a store is cleaned up."""

import shutil
import time
from collections.abc import Collection
from dataclasses import dataclass

from schedcp_gym.lab.store import upkeep
from schedcp_gym.lab.store.store import TrialStore

#: A store of versions before this one: a folder of JSON files. They don't say what was measured, so they are not read.
OLD_FOLDER = "trials"


@dataclass(frozen=True)
class Collected:
    """What a cleaning did, or would do.

    Attributes:
        before: Measurements there were.
        counts: How many went, by reason: ``image``, ``age``, ``size``.
        bytes_before: Size of the store before.
        bytes_after: And afterwards.
    """

    before: int
    counts: dict[str, int]
    bytes_before: int
    bytes_after: int


def collect(
    store: TrialStore,
    *,
    images: Collection[str] | None = None,
    older_than_s: float | None = None,
    max_bytes: int | None = None,
    dry_run: bool = False,
) -> Collected:
    """Deletes measurements, and makes the rest small.

    Args:
        store: The store.
        images: Digests of the images that are there; what was measured on others goes. None: the image does not count.
        older_than_s: What is older goes.
        max_bytes: The oldest go until the store is no larger, as far as can be told beforehand.
        dry_run: Only say what would go; nothing is changed.
    """
    old = store.folder.parent.parent / OLD_FOLDER
    size = store.size_bytes()
    bytes_before = size + sum(path.stat().st_size for path in old.rglob("*") if path.is_file())
    before = None if older_than_s is None else time.time() - older_than_s
    count = store.count()
    doomed = upkeep.doomed(store, images=images, before=before)
    if not dry_run:
        upkeep.tidy(store, [*doomed["image"], *doomed["age"]])
        size = store.size_bytes()
    counts = {reason: len(keys) for reason, keys in doomed.items()}
    left = count - counts["image"] - counts["age"]
    if max_bytes is not None and left and size > max_bytes:
        keep = int(left * max_bytes / size)
        too_many = upkeep.doomed(store, images=images, before=before, keep=keep)["size"]
        counts["size"] = len(too_many)
        if not dry_run:
            upkeep.tidy(store, too_many)
    if not dry_run:
        shutil.rmtree(old, ignore_errors=True)
    return Collected(count, counts, bytes_before, store.size_bytes())
