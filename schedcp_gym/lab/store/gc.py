"""Find what nobody needs any more in a store."""

import time
from collections.abc import Collection

from schedcp_gym.lab.store.store import TrialStore

#: Bytes of the pages that are in use.
LIVE = """SELECT (page_count - freelist_count) * page_size
    FROM pragma_page_count, pragma_freelist_count, pragma_page_size"""


def unwanted(
    store: TrialStore,
    *,
    images: Collection[str] | None = None,
    older_than_s: float | None = None,
    max_bytes: int | None = None,
) -> dict[str, list[str]]:
    """Return the keys of measurements that may go, by the reason: ``image``, ``age`` or ``size``.

    Args:
        store: The store.
        images: Digests of the images that are there; measurements on others go. None: the image does not count.
        older_than_s: Older measurements go.
        max_bytes: The oldest go until the rest fits, as far as can be told beforehand.
    """
    rows = store.database.rows("SELECT key, image, made, length(body) FROM trials ORDER BY made DESC, key")
    oldest = -float("inf") if older_than_s is None else time.time() - older_than_s
    # Keys, columns, sources and pages that are not full are shared out among the bodies.
    per_byte = store.database.rows(LIVE)[0][0] / max(1, sum(size for *_, size in rows))
    found: dict[str, list[str]] = {"image": [], "age": [], "size": []}
    kept = 0.0
    for key, image, made, size in rows:
        if images is not None and image not in images:
            found["image"].append(key)
        elif made < oldest:
            found["age"].append(key)
        elif max_bytes is not None and kept + size * per_byte > max_bytes:
            found["size"].append(key)
        else:
            kept += size * per_byte
    return found
